//! Processes that are asked to stop: what they have begun ends, what they
//! have not is another's at once, and nobody pays an attempt for it.

use std::time::{Duration, Instant};

use aisle_tests::harness::Backend;
use aisle_tests::pictures::{Colour, picture};
use aisle_tests::places::free_port;
use aisle_tests::service::{Processes, Service};
use aisle_tests::wait;
use image::ImageFormat;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const ITEMS: u64 = 300;

/// Restarts while the job runs.
const RESTARTS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn rolling_restarts_spend_no_attempt_over_sqlite() {
    rolling_restarts_spend_no_attempt(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rolling_restarts_spend_no_attempt_over_redis() {
    rolling_restarts_spend_no_attempt(Backend::Redis).await;
}

/// With a single attempt for each image, one that a stopping worker had not
/// handed back, or had handed back as tried, would fail.
async fn rolling_restarts_spend_no_attempt(backend: Backend) {
    let settings = [("AISLE_MAX_ATTEMPTS", "1")];
    let mut service = Service::tiny(backend, Processes::Apart, &settings).await;
    let id = submit(&service).await;
    for restart in 1..=RESTARTS as u64 {
        let mark = restart * ITEMS / (2 * RESTARTS as u64);
        wait::until("some results", || async {
            (succeeded(&service, &id).await >= mark).then_some(())
        })
        .await;
        service.stop("worker").await;
        assert!(succeeded(&service, &id).await < ITEMS, "it was through before restart {restart}");
        service.spawn("worker");
    }
    let job = service.ended(&id).await;
    assert_eq!((&job["status"], &job["items"]["succeeded"]), (&json!("succeeded"), &json!(ITEMS)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_drains_is_alive_but_not_ready_and_hands_back_what_it_waits_for() {
    // Connections are taken by the kernel, and nobody ever answers them.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = silent.local_addr().unwrap();
    let watched = format!("127.0.0.1:{}", free_port());
    let settings = [
        ("AISLE_ADMIN_LISTEN", watched.as_str()),
        ("AISLE_DANGER_ALLOW_PRIVATE_NETWORKS", "true"),
        ("AISLE_MAX_ATTEMPTS", "1"),
    ];
    let mut service = Service::tiny(Backend::Redis, Processes::Apart, &settings).await;
    let images: Vec<Value> = (0..8).map(|n| json!({"url": format!("http://{host}/{n}")})).collect();
    let answer = service.client.post(service.url("/v1/jobs")).json(&json!({"images": images}));
    let job: Value = answer.send().await.unwrap().json().await.unwrap();
    let id = job["id"].as_str().unwrap();
    wait::until("the items in work", || async {
        let job = service.get(&format!("/v1/jobs/{id}")).await;
        (job["status"] == "processing").then_some(())
    })
    .await;

    // A store that does not answer keeps the worker from ending at once.
    service.redis().freeze().expect("a frozen server");
    service.terminate("worker");
    let ask = |path: &str| {
        let request = service.client.get(format!("http://{watched}{path}")).send();
        async move {
            let answer = request.await.ok()?;
            let status = answer.status().as_u16();
            Some((status, answer.json::<Value>().await.ok()?))
        }
    };
    let (status, body) = wait::until("a worker that says it stops", || async {
        ask("/health/ready").await.filter(|(_, body)| body["detail"] == "the worker is stopping")
    })
    .await;
    assert_eq!((status, &body["status"]), (503, &json!("not_ready")));
    assert_eq!(ask("/health/live").await.expect("an answer").0, 200);
    service.redis().thaw().expect("a server again");
    let began = Instant::now();
    assert_eq!(service.exit_code("worker").await, Some(0), "{}", service.logs());
    assert!(began.elapsed() < Duration::from_secs(15), "it waited for its downloads");
    let stats = service.client.get(service.url("/metrics")).send().await.unwrap();
    let stats = stats.text().await.unwrap();
    for line in ["aisle_queue_running 0", "aisle_queue_live 8"] {
        assert!(stats.lines().any(|shown| shown == line), "{line}\n{stats}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_stops_answers_those_who_wait() {
    let mut service = Service::tiny(Backend::Sqlite, Processes::Apart, &[]).await;
    service.stop("worker").await;
    let request = service
        .client
        .post(service.url("/v1/jobs"))
        .header("content-type", "image/jpeg")
        .header("prefer", "wait=60")
        .body(picture(Colour::Blue, 64, 64, ImageFormat::Jpeg));
    let waiting = tokio::spawn(request.send());
    wait::until("the job", || async {
        let jobs = service.get("/v1/jobs").await;
        (jobs["data"].as_array()?.len() == 1).then_some(())
    })
    .await;
    let began = Instant::now();
    service.stop("api").await;
    let answer = waiting.await.unwrap().expect("an answer");
    assert_eq!(answer.status(), 202);
    let job: Value = answer.json().await.unwrap();
    assert_eq!(job["status"], "queued");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_a_process_at_once() {
    let mut service = Service::tiny(Backend::Sqlite, Processes::One, &[]).await;
    // An upload that does not go on holds the process in its grace time.
    let mut upload = TcpStream::connect(service.base.trim_start_matches("http://")).await.unwrap();
    let head = "POST /v1/jobs HTTP/1.1\r\nHost: aisle\r\nContent-Type: image/jpeg\r\n\
                Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n";
    upload.write_all(head.as_bytes()).await.unwrap();
    // Once it is asked to go on, a handler has it.
    let mut go_on = [0; 12];
    upload.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100");
    service.terminate("serve");
    wait::until("the first signal in the log", || async {
        service.logs().contains("a second signal ends").then_some(())
    })
    .await;
    service.terminate("serve");
    assert_eq!(service.exit_code("serve").await, Some(130));
}

/// Pictures that take a while to decode.
async fn submit(service: &Service) -> String {
    let pictures = Colour::ALL.map(|colour| picture(colour, 1_200, 1_200, ImageFormat::Jpeg));
    let form = pictures.iter().cycle().take(ITEMS as usize).fold(Form::new(), |form, bytes| {
        form.part("image", Part::bytes(bytes.clone()).file_name("picture.jpg"))
    });
    let answer = service.client.post(service.url("/v1/jobs")).multipart(form).send().await.unwrap();
    assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
    let job: Value = answer.json().await.unwrap();
    job["id"].as_str().expect("a job id").to_owned()
}

async fn succeeded(service: &Service, id: &str) -> u64 {
    let job = service.get(&format!("/v1/jobs/{id}?results_limit=1")).await;
    job["items"]["succeeded"].as_u64().expect("a count")
}
