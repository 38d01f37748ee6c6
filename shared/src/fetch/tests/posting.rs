//! Posting to receivers on loopback addresses.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::host::{Host, Names, Reply};
use super::{ALLOWED, policy, shop, tls_host, url};
use crate::fetch::{FetchPolicy, Fetcher, PostError, Posted, Target, tls};

async fn post(host: &Host, names: Names, policy: FetchPolicy) -> Result<Posted, PostError> {
    let target = Target::parse(&url(host, "/hooks?token=x"), &policy).unwrap();
    let fetcher = Fetcher::with_lookup(policy, Arc::new(names)).unwrap();
    let headers = [("content-type", "application/json"), ("webhook-id", "msg_1")];
    fetcher.post(&target, &headers, Bytes::from_static(b"{}")).await
}

async fn post_to(reply: Reply) -> Result<Posted, PostError> {
    let host = Host::start(ALLOWED, move |_| reply.clone()).await;
    post(&host, shop(), policy(&host)).await
}

fn answered(status: u16) -> Result<Posted, PostError> {
    Ok(Posted { status, retry_after: None })
}

#[tokio::test]
async fn a_body_goes_out_with_its_headers_and_little_else() {
    let host = Host::start(ALLOWED, |_| Reply::status(204)).await;
    assert_eq!(post(&host, shop(), policy(&host)).await, answered(204));

    let requests = host.requests();
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    assert_eq!((head.lines().next(), body), (Some("post /hooks?token=x http/1.1"), "{}"));
    let mut names: Vec<_> = head.lines().skip(1).filter_map(|line| line.split_once(": ")).collect();
    names.sort_unstable();
    let name = format!("shop.example:{}", host.address.port());
    let agent = concat!("aisle/", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        names,
        [
            ("accept", "*/*"),
            ("content-length", "2"),
            ("content-type", "application/json"),
            ("host", name.as_str()),
            ("user-agent", agent),
            ("webhook-id", "msg_1"),
        ]
    );
}

#[tokio::test]
async fn a_status_comes_back_whatever_it_is_with_the_time_asked_for() {
    for status in [200, 400, 404, 410, 500] {
        assert_eq!(post_to(Reply::status(status)).await, answered(status));
    }
    let busy = b"HTTP/1.1 503 X\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n";
    let asked = Some("120".to_owned());
    let posted = post_to(Reply::Bytes(busy.to_vec())).await;
    assert_eq!(posted, Ok(Posted { status: 503, retry_after: asked }));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let host = Host::start(ALLOWED, |_| Reply::redirect("/elsewhere")).await;
    assert_eq!(post(&host, shop(), policy(&host)).await, answered(302));
    assert_eq!(host.requests().len(), 1);
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_not_posted_to() {
    let host = Host::start(([127, 0, 0, 1], 0), |_| Reply::status(200)).await;
    for private in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1"] {
        let names = Names::default().with("shop.example", &[&[private]]);
        assert_eq!(post(&host, names, policy(&host)).await, Err(PostError::NotAllowed));
    }
    assert!(host.requests().is_empty());
}

#[tokio::test]
async fn a_target_that_another_policy_allowed_is_not_posted_to() {
    let host = Host::start(ALLOWED, |_| Reply::status(200)).await;
    let target = Target::parse(&url(&host, "/"), &policy(&host)).unwrap();
    let strict = Fetcher::with_lookup(FetchPolicy::default(), Arc::new(shop())).unwrap();
    let posted = strict.post(&target, &[], Bytes::new()).await;
    assert_eq!(posted, Err(PostError::NotAllowed));
    assert!(host.requests().is_empty());
}

#[tokio::test]
async fn a_body_without_end_does_not_hold_the_sender() {
    let head = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    let started = Instant::now();
    for reply in [Reply::Endless(head.clone(), vec![b'x'; 4096]), Reply::Drip(head.clone())] {
        let host = Host::start(ALLOWED, move |_| reply.clone()).await;
        let policy = FetchPolicy { max_bytes: 16_384, ..policy(&host) };
        assert_eq!(post(&host, shop(), policy).await, answered(200));
    }
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_receiver_that_says_nothing_is_given_up() {
    let host = Host::start(ALLOWED, |_| Reply::Silence).await;
    let policy = FetchPolicy { total_timeout: Duration::from_millis(200), ..policy(&host) };
    assert_eq!(post(&host, shop(), policy).await, Err(PostError::TimedOut));
}

#[tokio::test]
async fn a_receiver_that_breaks_off_or_is_not_there_is_unreachable() {
    let cut = post_to(Reply::Bytes(b"HTTP/1.1 200".to_vec())).await;
    assert_eq!(cut, Err(PostError::Unreachable));
    let host = Host::start(ALLOWED, |_| Reply::status(200)).await;
    let names = Names::default();
    assert_eq!(post(&host, names, policy(&host)).await, Err(PostError::Unreachable));
}

#[tokio::test]
async fn a_tls_receiver_must_have_a_certificate_that_is_trusted() {
    let (host, roots) = tls_host(Reply::status(200)).await;
    let text = format!("https://shop.example:{}/", host.address.port());
    let target = Target::parse(&text, &policy(&host)).unwrap();
    for (roots, expected) in
        [(roots, answered(200)), (tls::public_roots(), Err(PostError::BadCertificate))]
    {
        let fetcher = Fetcher::build(policy(&host), Arc::new(shop()), roots).unwrap();
        assert_eq!(fetcher.post(&target, &[], Bytes::from_static(b"{}")).await, expected);
    }
    assert_eq!(host.requests().len(), 1);
}
