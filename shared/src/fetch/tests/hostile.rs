//! Hosts, names and answers that are made to do harm: each fetch ends in
//! time, with a plain failure, and with nothing asked of a forbidden address.

use std::time::{Duration, Instant};

use super::host::{Host, Names, Reply};
use super::{ALLOWED, assert_fails, fetch, fetch_reply, policy, shop, url};
use crate::domain::ErrorCode;
use crate::fetch::{FetchPolicy, Fetcher, Target};

/// How long any of these may take: far more than they need, far less than
/// for ever.
const IN_TIME: Duration = Duration::from_secs(30);

fn hasty(host: &Host) -> FetchPolicy {
    FetchPolicy {
        connect_timeout: Duration::from_millis(300),
        first_byte_timeout: Duration::from_millis(600),
        ..policy(host)
    }
}

#[test]
fn the_default_policy_is_the_strict_one() {
    let policy = FetchPolicy::default();
    assert!(!policy.danger_allow_private_networks && policy.danger_allow_addresses.is_empty());
    assert_eq!(policy.ports, [80, 443, 8080, 8443]);
    assert_eq!(policy.max_bytes, 20 << 20);
    assert_eq!(policy.connect_timeout, Duration::from_secs(3));
    assert_eq!(policy.first_byte_timeout, Duration::from_secs(5));
    assert_eq!(policy.total_timeout, Duration::from_secs(10));
    let rate = policy.min_bytes_per_window / policy.rate_window.as_secs();
    assert_eq!((rate, policy.rate_window), (10_000, Duration::from_secs(3)));
    assert_eq!(policy.max_redirects, 3);
}

#[tokio::test]
async fn a_name_is_looked_up_once_for_each_connection() {
    // A second look-up would get the address of someone else.
    let host = Host::start(ALLOWED, |_| Reply::ok(b"reached")).await;
    let names = Names::default().with("shop.example", &[&["127.0.0.2"], &["127.0.0.1"]]);
    let body = fetch(&host, names, policy(&host)).await;
    assert_eq!(body.as_deref(), Ok(b"reached".as_slice()));
}

#[tokio::test]
async fn a_name_that_turns_private_between_two_fetches_is_refused() {
    let host = Host::start(ALLOWED, |_| Reply::ok(b"reached")).await;
    let names = Names::default().with("shop.example", &[&["127.0.0.2"], &["169.254.169.254"]]);
    let fetcher = Fetcher::with_lookup(policy(&host), std::sync::Arc::new(names)).unwrap();
    let target = Target::parse(&url(&host, "/"), fetcher.policy()).unwrap();
    assert!(fetcher.fetch(&target).await.is_ok());
    // A connection that was kept would reach what the first answer allowed.
    let again = fetcher.fetch(&target).await.map(|fetched| fetched.body.to_vec());
    assert_fails(&again, ErrorCode::UrlNotAllowed, false);
    assert_eq!(host.requests().len(), 1);
}

#[tokio::test]
async fn an_address_written_into_ipv6_is_judged_as_what_it_is() {
    let host = Host::start(ALLOWED, |_| Reply::ok(b"inside")).await;
    for answer in [
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:2",
        "2002:7f00:2::1",
        "2001:0:7f00:2::1",
        "2606:4700::5efe:127.0.0.2",
        "::127.0.0.2",
        "fd00:ec2::254",
        "fe80::1",
        "168.63.129.16",
        "100.100.100.200",
        "0.0.0.0",
        "255.255.255.255",
    ] {
        let names = Names::default().with("shop.example", &[&[answer]]);
        assert_fails(&fetch(&host, names, policy(&host)).await, ErrorCode::UrlNotAllowed, false);
    }
    assert_eq!(host.requests().len(), 0);
}

#[tokio::test]
async fn a_redirect_carries_nothing_along() {
    let head = "HTTP/1.1 302 Found\r\nLocation: /next?signature=other\r\n\
        Set-Cookie: session=1\r\nAccept-CH: Device-Memory\r\nContent-Length: 0\r\n\r\n";
    let host = Host::start(ALLOWED, move |path| match path {
        "/start" => Reply::Bytes(head.as_bytes().to_vec()),
        _ => Reply::ok(b"reached"),
    })
    .await;
    assert!(fetch(&host, shop(), policy(&host)).await.is_ok());
    let requests = host.requests();
    let headers = |request: &str| {
        let lines = request.lines().skip(1).filter_map(|line| line.split_once(": "));
        let mut names: Vec<_> = lines.map(|(name, _)| name.to_owned()).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(requests.len(), 2);
    assert_eq!(headers(&requests[1]), ["accept", "host", "user-agent"]);
}

#[tokio::test]
async fn redirects_without_end_are_cut_short() {
    let host = Host::start(ALLOWED, |path| Reply::redirect(&format!("{path}x"))).await;
    assert_fails(&fetch(&host, shop(), policy(&host)).await, ErrorCode::UrlRefused, false);
    assert_eq!(host.requests().len(), 4);

    let host = Host::start(ALLOWED, |_| Reply::redirect("/start")).await;
    assert_fails(&fetch(&host, shop(), policy(&host)).await, ErrorCode::UrlRefused, false);
    assert_eq!(host.requests().len(), 4);
}

#[tokio::test]
async fn a_name_server_that_is_silent_costs_the_time_to_connect() {
    let host = Host::start(ALLOWED, |_| Reply::ok(b"reached")).await;
    let names = Names::default().silent("shop.example");
    let start = Instant::now();
    let fetched = fetch(&host, names, hasty(&host)).await;
    assert_fails(&fetched, ErrorCode::UrlUnreachable, true);
    assert!(start.elapsed() < IN_TIME);
    assert_eq!(host.requests().len(), 0);
}

#[tokio::test]
async fn a_host_that_never_answers_the_tls_greeting_is_given_up() {
    // Plain TCP, which reads the greeting for ever.
    let host = Host::start(ALLOWED, |_| Reply::Silence).await;
    let text = format!("https://shop.example:{}/", host.address.port());
    let target = Target::parse(&text, &policy(&host)).unwrap();
    let fetcher = Fetcher::with_lookup(hasty(&host), std::sync::Arc::new(shop())).unwrap();
    let start = Instant::now();
    let fetched = fetcher.fetch(&target).await.map(|fetched| fetched.body.to_vec());
    assert_fails(&fetched, ErrorCode::UrlUnreachable, true);
    assert!(start.elapsed() < IN_TIME);
}

#[tokio::test]
async fn heads_without_end_are_given_up() {
    for (begin, unit) in [
        // Ever more headers, one header ever longer, ever more provisional answers.
        ("HTTP/1.1 200 OK\r\n", "X-Flood: water\r\n"),
        ("HTTP/1.1 200 OK\r\nX-Long: ", "aaaaaaaaaaaaaaaa"),
        ("", "HTTP/1.1 100 Continue\r\n\r\n"),
        ("", "aaaaaaaaaaaaaaaa"),
    ] {
        let host = Host::start(ALLOWED, move |_| Reply::endless(begin, unit)).await;
        let start = Instant::now();
        let fetched = fetch(&host, shop(), hasty(&host)).await;
        assert_fails(&fetched, ErrorCode::UrlUnreachable, true);
        assert!(start.elapsed() < IN_TIME, "{begin}{unit}");
    }
}

#[tokio::test]
async fn chunked_bodies_without_end_are_cut() {
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("1000\r\n{}\r\n", "a".repeat(0x1000));
    let host = Host::start(ALLOWED, move |_| Reply::endless(CHUNKED, &chunk)).await;
    assert_fails(&fetch(&host, shop(), policy(&host)).await, ErrorCode::TooLarge, false);

    // A chunk whose extension has no end, and trailers that have none.
    for begin in [format!("{CHUNKED}1;x="), format!("{CHUNKED}1\r\na\r\n0\r\nX-Trailer: ")] {
        let host = Host::start(ALLOWED, move |_| Reply::endless(&begin, "aaaaaaaaaaaaaaaa")).await;
        let hurried = FetchPolicy { rate_window: Duration::from_millis(500), ..policy(&host) };
        let start = Instant::now();
        assert_fails(&fetch(&host, shop(), hurried).await, ErrorCode::UrlUnreachable, true);
        assert!(start.elapsed() < IN_TIME);
    }
}

#[tokio::test]
async fn what_is_no_http_is_no_answer() {
    for bytes in [
        &b"an image without a head"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx",
        b"HTTP/1.1 200 OK\r\nX: \0\r\n\r\n",
        b"\x16\x03\x01\x00\xa5",
    ] {
        let fetched = fetch_reply(Reply::Bytes(bytes.to_vec())).await;
        assert_fails(&fetched, ErrorCode::UrlUnreachable, true);
    }
}
