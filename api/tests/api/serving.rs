//! The server on a real socket.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use aisle_shared::store::{Limits, Switch};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::rig::{Rig, eventually, png, submit};

fn start(rig: &Rig) -> (SocketAddr, JoinHandle<std::io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = aisle_api::serve(listener, rig.state.clone(), rig.shutdown.clone());
    (address, tokio::spawn(server))
}

/// Sends bytes and reads until the server closes the connection.
async fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    read_all(&mut stream).await
}

async fn read_all(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    timeout(Duration::from_secs(10), read).await.expect("the connection closes").unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn stopped(rig: &Rig, server: JoinHandle<std::io::Result<()>>) {
    rig.shutdown.cancel();
    timeout(Duration::from_secs(10), server).await.expect("the server stops").unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_says_it_is_too_long_is_refused_before_it_is_sent() {
    let rig = Rig::with(|settings| settings.http_threads = Some(1)).await;
    let (address, server) = start(&rig);
    let head = "POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\n\
                Content-Length: 2000000000\r\n\r\n";
    let answer = exchange(address, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("\"too_large\""), "{answer}");
    stopped(&rig, server).await;
}

/// Sends a head, then one piece after the other for as long as the server
/// takes them; what it answered until it closed the connection.
async fn pour(address: SocketAddr, head: &str, piece: Vec<u8>) -> String {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    to.write_all(head.as_bytes()).await.unwrap();
    let pouring = tokio::spawn(async move { while to.write_all(&piece).await.is_ok() {} });
    let mut answer = Vec::new();
    // Whoever goes on sending may see the end as a reset; the answer was there
    // before it.
    let read = from.read_to_end(&mut answer);
    let _ = timeout(Duration::from_secs(10), read).await.expect("the connection closes");
    timeout(Duration::from_secs(10), pouring).await.expect("no more is taken").unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn closed_to_jobs() -> Rig {
    let rig = Rig::with(|settings| {
        settings.http_threads = Some(1);
        settings.max_upload_bytes = u64::MAX;
    })
    .await;
    rig.store.set_switch(Switch::IntakeClosed, true).await.unwrap();
    rig
}

const FORM: &str = "POST /v1/jobs HTTP/1.1\r\nHost: a\r\n\
                    Content-Type: multipart/form-data; boundary=x\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_upload_closes_its_connection_however_much_is_still_to_come() {
    let rig = closed_to_jobs().await;
    let (address, server) = start(&rig);
    let announced = format!("{FORM}Content-Length: 2000000000000\r\n\r\n");
    let chunked = format!("{FORM}Transfer-Encoding: chunked\r\n\r\n");
    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
    for (head, piece) in [(announced, vec![b'x'; 0x10000]), (chunked, chunk)] {
        let answer = pour(address, &head, piece).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{head}{answer}");
        assert!(answer.to_lowercase().contains("connection: close"), "{head}{answer}");
        assert!(answer.contains("\"intake_closed\""), "{head}{answer}");
    }
    stopped(&rig, server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_takes_no_body_closes_on_whoever_sends_one_without_end() {
    let rig = closed_to_jobs().await;
    let (address, server) = start(&rig);
    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
    for path in ["/v1/jobs?top_k=none", "/v2/nothing"] {
        let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        let answer = pour(address, &head, chunk.clone()).await;
        assert!(answer.starts_with("HTTP/1.1 40"), "{answer}");
    }
    stopped(&rig, server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_before_sending_is_refused_without_having_sent() {
    let rig = closed_to_jobs().await;
    let (address, server) = start(&rig);
    let head = format!("{FORM}Content-Length: 2000000000\r\nExpect: 100-continue\r\n\r\n");
    let answer = exchange(address, head.as_bytes()).await;
    assert!(answer.contains("HTTP/1.1 503 "), "{answer}");
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    stopped(&rig, server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_what_was_read_leaves_the_connection_open() {
    let rig = Rig::with(|settings| settings.http_threads = Some(1)).await;
    let (address, server) = start(&rig);
    let refused = "POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
                   Content-Length: 2\r\n\r\n{}";
    let last = "GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(refused.as_bytes()).await.unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 400");
    stream.write_all(last.as_bytes()).await.unwrap();
    let rest = read_all(&mut stream).await;
    assert!(rest.contains("HTTP/1.1 200 "), "{rest}");
    stopped(&rig, server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_in_time_is_given_up() {
    let rig = Rig::with(|settings| {
        settings.http_threads = Some(1);
        settings.upload_within = Duration::from_millis(300);
    })
    .await;
    let (address, server) = start(&rig);
    let head = format!("{FORM}Content-Length: 100000\r\n\r\n--x\r\n");
    let answer = exchange(address, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("\"upload_too_slow\""), "{answer}");
    stopped(&rig, server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_of_a_caller_that_went_away_are_removed() {
    let rig = Rig::with(|settings| settings.http_threads = Some(1)).await;
    let (address, server) = start(&rig);
    let mut request = b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\
        Content-Type: multipart/form-data; boundary=x\r\n\r\n\
        --x\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a\"\r\n\r\n"
        .to_vec();
    request.extend(png());
    request.extend(b"\r\n--x\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\nabc");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&request).await.unwrap();
    eventually("the first image is stored", || rig.stored_images() == 1).await;
    drop(stream);
    eventually("it is removed again", || rig.stored_images() == 0).await;
    stopped(&rig, server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_request_is_answered_like_get_without_a_body() {
    let rig = Rig::with(|settings| settings.http_threads = Some(1)).await;
    let (address, server) = start(&rig);
    let head = "HEAD /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = exchange(address, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("content-length: 15"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    stopped(&rig, server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_answers_those_who_wait() {
    let rig = Rig::with(|settings| settings.http_threads = Some(1)).await;
    let job = {
        let app = rig.app().await;
        submit(&app, 1).await
    };
    let (address, server) = start(&rig);
    let poll = format!("GET {job} HTTP/1.1\r\nHost: a\r\nPrefer: wait=60\r\n\r\n");
    let follow = format!("GET {job}/events HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut poller = TcpStream::connect(address).await.unwrap();
    let mut follower = TcpStream::connect(address).await.unwrap();
    poller.write_all(poll.as_bytes()).await.unwrap();
    follower.write_all(follow.as_bytes()).await.unwrap();
    let mut first = [0; 16];
    follower.read_exact(&mut first).await.unwrap();

    stopped(&rig, server).await;
    let answer = read_all(&mut poller).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("\"queued\""), "{answer}");
    assert!(read_all(&mut follower).await.contains("event: job"));
}
