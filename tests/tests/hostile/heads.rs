//! Heads that mean two things, or have no end.

use aisle_tests::harness::Backend;

use crate::rig::{Answer, Target};

/// What parsers before and behind this one could read differently is no
/// request: the connection ends, and nothing behind it is taken for another.
#[tokio::test]
async fn a_request_of_two_lengths_is_refused() {
    let target = Target::start(Backend::Sqlite).await;
    let hidden = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";
    let length = hidden.len();
    for headers in [
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n"),
        format!("Content-Length: 0\r\nContent-Length: {length}\r\n"),
        format!("Content-Length: 0, {length}\r\n"),
        "Content-Length: -1\r\n".to_owned(),
        "Content-Length: +5\r\n".to_owned(),
        "Content-Length: 0x5\r\n".to_owned(),
        "Content-Length: 18446744073709551616\r\n".to_owned(),
        "Transfer-Encoding: chunked, identity\r\n".to_owned(),
        "Transfer-Encoding: xchunked\r\n".to_owned(),
        "Transfer-Encoding:\x0bchunked\r\n".to_owned(),
        "Transfer-Encoding : chunked\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n".to_owned(),
        " Transfer-Encoding: chunked\r\n".to_owned(),
        "X: y\r\n Transfer-Encoding: chunked\r\n".to_owned(),
        "Host: other\0\r\n".to_owned(),
    ] {
        let request = format!(
            "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}\r\n\
             {hidden}"
        );
        let answer = target.send(request.as_bytes()).await;
        assert!(
            matches!(answer, Answer::Status(400..=499, _) | Answer::Closed),
            "{headers:?}: {answer:?}"
        );
    }
    target.assert_unharmed().await;
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let target = Target::start(Backend::Sqlite).await;
    let long = "a".repeat(200_000);
    for request in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(20),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec(),
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n".to_vec(),
        b"G\0T / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"\0\0\0\0\r\n\r\n".to_vec(),
        b"\xff\xff\xff\xff / HTTP/1.1\r\n\r\n".to_vec(),
        b"GET /\r\n X HTTP/1.1\r\n\r\n".to_vec(),
        format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(1_000)).into_bytes(),
        format!("{long} / HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes(),
    ] {
        let shown = String::from_utf8_lossy(&request[..request.len().min(60)]).into_owned();
        let answer = target.send(&request).await;
        assert!(
            matches!(answer, Answer::Status(400..=499, _) | Answer::Closed),
            "{shown:?}: {answer:?}"
        );
    }
    let flood = std::iter::repeat_with(|| b"X-Flood: water\r\n".repeat(1_000));
    let begin = b"GET /health/live HTTP/1.1\r\nHost: x\r\n".to_vec();
    let answer = target.send_all(std::iter::once(begin).chain(flood)).await;
    assert!(matches!(answer, Answer::Status(400..=499, _) | Answer::Closed), "{answer:?}");
    target.assert_unharmed().await;
}
