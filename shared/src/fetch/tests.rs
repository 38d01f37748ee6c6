//! The guarded client against real hosts on loopback addresses. The hosts
//! listen on 127.0.0.2, which the tests' policy allows by name; 127.0.0.1
//! stays forbidden and stands for everything that must not be reached.

mod host;
mod hostile;
mod posting;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

use self::host::{Host, Names, Reply};
use super::{FetchError, FetchPolicy, Fetcher, Target, tls};
use crate::domain::ErrorCode;

const ALLOWED: ([u8; 4], u16) = ([127, 0, 0, 2], 0);

/// The strict policy with one more address and the host's own port.
fn policy(host: &Host) -> FetchPolicy {
    FetchPolicy {
        danger_allow_addresses: vec![[127, 0, 0, 2].into()],
        ports: vec![host.address.port()],
        ..FetchPolicy::default()
    }
}

fn url(host: &Host, path: &str) -> String {
    format!("http://shop.example:{}{path}", host.address.port())
}

async fn fetch(host: &Host, names: Names, policy: FetchPolicy) -> Result<Vec<u8>, FetchError> {
    let target = Target::parse(&url(host, "/start"), &policy).unwrap();
    let fetcher = Fetcher::with_lookup(policy, Arc::new(names)).unwrap();
    fetcher.fetch(&target).await.map(|fetched| fetched.body.to_vec())
}

fn shop() -> Names {
    Names::default().with("shop.example", &[&["127.0.0.2"]])
}

/// Fetches from a host that gives one reply to everything.
async fn fetch_reply(reply: Reply) -> Result<Vec<u8>, FetchError> {
    let host = Host::start(ALLOWED, move |_| reply.clone()).await;
    fetch(&host, shop(), policy(&host)).await
}

#[track_caller]
fn assert_fails(fetched: &Result<Vec<u8>, FetchError>, code: ErrorCode, transient: bool) {
    let error = fetched.as_ref().expect_err("a failure");
    assert_eq!((error.error.code, error.transient), (code, transient), "{error}");
    for secret in ["127.0.0", "10.0.0", "169.254"] {
        assert!(!error.to_string().contains(secret), "{error}");
    }
}

#[tokio::test]
async fn a_body_arrives_whole_and_the_request_says_little() {
    let host = Host::start(ALLOWED, |_| Reply::ok(b"an image")).await;
    let body = fetch(&host, shop(), policy(&host)).await;
    assert_eq!(body.as_deref(), Ok(b"an image".as_slice()));

    let requests = host.requests();
    let mut headers: Vec<_> =
        requests[0].lines().skip(1).filter_map(|line| line.split_once(": ")).collect();
    headers.sort_unstable();
    let name = format!("shop.example:{}", host.address.port());
    let agent = concat!("aisle/", env!("CARGO_PKG_VERSION"));
    assert_eq!(headers, [("accept", "image/*"), ("host", name.as_str()), ("user-agent", agent)]);
}

#[tokio::test]
async fn a_name_that_resolves_to_a_private_address_is_refused() {
    let host = Host::start(([127, 0, 0, 1], 0), |_| Reply::ok(b"internal")).await;
    for private in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1"] {
        let names = Names::default().with("shop.example", &[&[private]]);
        assert_fails(&fetch(&host, names, policy(&host)).await, ErrorCode::UrlNotAllowed, false);
    }
    assert_eq!(host.requests().len(), 0);
}

#[tokio::test]
async fn private_answers_among_public_ones_are_passed_over() {
    let outside = Host::start(ALLOWED, |_| Reply::ok(b"outside")).await;
    let inside =
        Host::start(([127, 0, 0, 1], outside.address.port()), |_| Reply::ok(b"inside")).await;
    let names = Names::default().with("shop.example", &[&["127.0.0.1", "127.0.0.2"]]);
    let body = fetch(&outside, names, policy(&outside)).await;
    assert_eq!(body.as_deref(), Ok(b"outside".as_slice()));
    assert_eq!(inside.requests().len(), 0);
}

#[tokio::test]
async fn a_name_is_resolved_anew_for_each_hop() {
    let host = Host::start(ALLOWED, |path| match path {
        "/start" => Reply::redirect("/next"),
        _ => Reply::ok(b"reached"),
    })
    .await;
    let names = Names::default().with("shop.example", &[&["127.0.0.2"], &["127.0.0.1"]]);
    assert_fails(&fetch(&host, names, policy(&host)).await, ErrorCode::UrlNotAllowed, false);
    assert_eq!(host.requests().len(), 1);
}

#[tokio::test]
async fn a_redirect_to_a_private_host_is_refused() {
    for location in ["http://127.0.0.1", "http://[::1]", "http://localhost", "//2130706433"] {
        let inside = Host::start(([127, 0, 0, 1], 0), |_| Reply::ok(b"inside")).await;
        let port = inside.address.port();
        let location = format!("{location}:{port}/");
        let host = Host::start(ALLOWED, move |_| Reply::redirect(&location)).await;
        let both = FetchPolicy { ports: vec![port, host.address.port()], ..policy(&host) };
        assert_fails(&fetch(&host, shop(), both).await, ErrorCode::UrlNotAllowed, false);
        assert_eq!((host.requests().len(), inside.requests().len()), (1, 0));
    }
}

#[tokio::test]
async fn a_redirect_to_another_port_or_scheme_is_refused() {
    for location in ["http://shop.example:6379/", "file:///etc/passwd", "http://a:b@shop.example/"]
    {
        let fetched = fetch_reply(Reply::redirect(location)).await;
        assert_fails(&fetched, ErrorCode::UrlNotAllowed, false);
    }
}

#[tokio::test]
async fn three_redirects_are_followed_and_a_fourth_is_not() {
    let chain = |last: u32| {
        move |path: &str| match path.trim_start_matches("/start").len() as u32 {
            hops if hops < last => Reply::redirect(&format!("{path}x")),
            _ => Reply::ok(b"the end"),
        }
    };
    let host = Host::start(ALLOWED, chain(3)).await;
    let body = fetch(&host, shop(), policy(&host)).await;
    assert_eq!(body.as_deref(), Ok(b"the end".as_slice()));

    let host = Host::start(ALLOWED, chain(4)).await;
    assert_fails(&fetch(&host, shop(), policy(&host)).await, ErrorCode::UrlRefused, false);
    assert_eq!(host.requests().len(), 4);
}

#[tokio::test]
async fn a_redirect_without_location_is_refused() {
    assert_fails(&fetch_reply(Reply::status(302)).await, ErrorCode::UrlRefused, false);
}

#[tokio::test]
async fn a_status_other_than_200_fails_for_good_or_for_now() {
    for (status, transient) in [
        (204, false),
        (206, false),
        (304, false),
        (403, false),
        (404, false),
        (410, false),
        (429, true),
        (500, true),
        (503, true),
    ] {
        assert_fails(&fetch_reply(Reply::status(status)).await, ErrorCode::UrlRefused, transient);
    }
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_not_read() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 20971521\r\n\r\n".to_vec();
    assert_fails(&fetch_reply(Reply::Drip(head)).await, ErrorCode::TooLarge, false);
}

#[tokio::test]
async fn a_body_without_end_is_cut_at_the_limit() {
    let endless = Reply::endless("HTTP/1.1 200 OK\r\n\r\n", "\0");
    assert_fails(&fetch_reply(endless).await, ErrorCode::TooLarge, false);
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_taken() {
    let host = Host::start(ALLOWED, |_| Reply::ok(&[7; 1_000])).await;
    let exactly = FetchPolicy { max_bytes: 1_000, ..policy(&host) };
    assert_eq!(fetch(&host, shop(), exactly).await, Ok(vec![7; 1_000]));
    let less = FetchPolicy { max_bytes: 999, ..policy(&host) };
    assert_fails(&fetch(&host, shop(), less).await, ErrorCode::TooLarge, false);
}

#[tokio::test]
async fn a_content_coding_is_neither_asked_for_nor_undone() {
    // The first bytes of a gzip stream, which must come through as they are.
    let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let mut reply =
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 10\r\n\r\n".to_vec();
    reply.extend(gzip);
    assert_eq!(fetch_reply(Reply::Bytes(reply)).await, Ok(gzip.to_vec()));
}

#[tokio::test]
async fn a_body_that_drips_is_given_up() {
    let head = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    let host = Host::start(ALLOWED, move |_| Reply::Drip(head.clone())).await;
    let hasty = FetchPolicy { rate_window: Duration::from_millis(200), ..policy(&host) };
    let start = Instant::now();
    assert_fails(&fetch(&host, shop(), hasty).await, ErrorCode::UrlUnreachable, true);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_body_fast_enough_still_has_to_end_in_time() {
    let head = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    let host = Host::start(ALLOWED, move |_| Reply::Drip(head.clone())).await;
    let patient = FetchPolicy {
        min_bytes_per_window: 1,
        total_timeout: Duration::from_millis(300),
        ..policy(&host)
    };
    assert_fails(&fetch(&host, shop(), patient).await, ErrorCode::UrlUnreachable, true);
}

#[tokio::test]
async fn a_head_that_never_comes_or_never_ends_is_given_up() {
    for reply in [Reply::Silence, Reply::Drip(b"HTTP/1.1 200 OK\r\nX-Long: ".to_vec())] {
        let host = Host::start(ALLOWED, move |_| reply.clone()).await;
        let hasty = FetchPolicy { first_byte_timeout: Duration::from_millis(200), ..policy(&host) };
        assert_fails(&fetch(&host, shop(), hasty).await, ErrorCode::UrlUnreachable, true);
    }
}

#[tokio::test]
async fn a_connection_that_breaks_may_be_tried_again() {
    let short = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort".to_vec();
    assert_fails(&fetch_reply(Reply::Bytes(short)).await, ErrorCode::UrlUnreachable, true);
    assert_fails(&fetch_reply(Reply::Bytes(Vec::new())).await, ErrorCode::UrlUnreachable, true);
}

#[tokio::test]
async fn a_host_that_is_not_there_may_be_tried_again() {
    let host = Host::start(ALLOWED, |_| Reply::Silence).await;
    let unknown = fetch(&host, Names::default(), policy(&host)).await;
    assert_fails(&unknown, ErrorCode::UrlUnreachable, true);

    let names = Names::default().with("shop.example", &[&["127.0.0.3"]]);
    let elsewhere =
        FetchPolicy { danger_allow_addresses: vec![[127, 0, 0, 3].into()], ..policy(&host) };
    assert_fails(&fetch(&host, names, elsewhere).await, ErrorCode::UrlUnreachable, true);
}

#[tokio::test]
async fn a_target_allowed_by_another_policy_is_checked_again() {
    let host = Host::start(([127, 0, 0, 1], 0), |_| Reply::ok(b"internal")).await;
    let lenient = FetchPolicy { danger_allow_private_networks: true, ..FetchPolicy::default() };
    let target = Target::parse(&format!("http://{}/", host.address), &lenient).unwrap();
    assert!(Fetcher::new(lenient).unwrap().fetch(&target).await.is_ok());
    let refused = Fetcher::new(policy(&host)).unwrap().fetch(&target).await.unwrap_err();
    assert_eq!(refused.error.code, ErrorCode::UrlNotAllowed);
}

/// A TLS host for `shop.example`, and the roots that trust it.
async fn tls_host(reply: Reply) -> (Host, RootCertStore) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["shop.example".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let host = Host::start_tls(ALLOWED, acceptor, move |_| reply.clone()).await;
    (host, roots)
}

async fn fetch_tls(host: &Host, name: &str, roots: RootCertStore) -> Result<Vec<u8>, FetchError> {
    let names = Names::default().with(name, &[&["127.0.0.2"]]);
    let text = format!("https://{name}:{}/", host.address.port());
    let target = Target::parse(&text, &policy(host)).unwrap();
    let fetcher = Fetcher::build(policy(host), Arc::new(names), roots).unwrap();
    fetcher.fetch(&target).await.map(|fetched| fetched.body.to_vec())
}

#[tokio::test]
async fn a_tls_host_must_have_a_certificate_that_is_trusted_for_its_name() {
    let (host, roots) = tls_host(Reply::ok(b"an image")).await;
    let trusted = fetch_tls(&host, "shop.example", roots.clone()).await;
    assert_eq!(trusted.as_deref(), Ok(b"an image".as_slice()));

    let untrusted = fetch_tls(&host, "shop.example", tls::public_roots()).await;
    assert_fails(&untrusted, ErrorCode::UrlUnreachable, false);
    let misnamed = fetch_tls(&host, "other.example", roots).await;
    assert_fails(&misnamed, ErrorCode::UrlUnreachable, false);
    assert_eq!(host.requests().len(), 1);
}

#[tokio::test]
async fn a_redirect_that_gives_up_tls_is_refused() {
    let plain = Host::start(ALLOWED, |_| Reply::ok(b"plain")).await;
    let (host, roots) = tls_host(Reply::redirect(&url(&plain, "/"))).await;
    let fetched = fetch_tls(&host, "shop.example", roots).await;
    assert_fails(&fetched, ErrorCode::UrlNotAllowed, false);
    assert_eq!(plain.requests().len(), 0);
}
