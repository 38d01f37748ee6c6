//! One trace from a caller's request to the network that answered it, across
//! the queue and across processes, as a real collector receives it; and the
//! ids that tie the log to it.

use aisle_tests::collector::{Collector, Received};
use aisle_tests::harness::Backend;
use aisle_tests::pictures::{Colour, picture};
use aisle_tests::receiver::{Behaviour, Receiver};
use aisle_tests::service::{Processes, Service};
use aisle_tests::wait;
use image::ImageFormat;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const IMAGES: usize = 6;

const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const CONSUMER: i32 = 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_crosses_the_queue_over_sqlite() {
    a_trace_crosses_the_queue(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_crosses_the_queue_over_redis() {
    a_trace_crosses_the_queue(Backend::Redis).await;
}

async fn a_trace_crosses_the_queue(backend: Backend) {
    let collector = Collector::start().await;
    let settings = [
        ("AISLE_OTLP_ENDPOINT", collector.endpoint.as_str()),
        ("AISLE_LOG_FORMAT", "json"),
        // Long enough that the six travel as few batches.
        ("AISLE_BATCH_WAIT_MS", "200"),
    ];
    let mut service = Service::tiny(backend, Processes::Apart, &settings).await;
    let job = submit(&service).await;
    let id = job["id"].as_str().unwrap();
    service.ended(id).await;

    let spans = wait::until("every span", || async {
        let spans = collector.spans();
        let items = items(&spans).len();
        let linked: usize = batches(&spans).map(|batch| batch.links.len()).sum();
        let submitted = spans.iter().any(|span| span.name == "POST /v1/jobs");
        (submitted && items == IMAGES && linked == IMAGES).then_some(spans)
    })
    .await;

    let server = spans.iter().find(|span| span.name == "POST /v1/jobs").unwrap();
    assert_eq!((server.kind, &*server.service), (SERVER, "aisle-api"));
    assert_eq!((&*server.trace, &*server.parent), (TRACE, CALLER));
    assert_eq!(server.attributes["http.response.status_code"], "202");
    assert_eq!(server.attributes["http.route"], "/v1/jobs");

    for item in items(&spans) {
        assert_eq!((item.kind, &*item.service), (CONSUMER, "aisle-worker"));
        assert_eq!((&item.trace, &item.parent), (&server.trace, &server.id));
        assert_eq!(item.attributes["messaging.message.conversation_id"], id);
        assert_eq!(item.attributes["aisle.outcome"], "succeeded");
        let stages = spans.iter().filter(|span| span.parent == item.id);
        let mut stages: Vec<_> = stages.map(|span| &*span.name).collect();
        stages.sort_unstable();
        assert_eq!(stages, ["fetch", "network", "prepare", "record", "wait for the network"]);
        let of_item = (item.trace.clone(), item.id.clone());
        let mut its = batches(&spans).filter(|batch| batch.links.contains(&of_item));
        let batch = its.next().expect("the item's batch");
        assert!(its.next().is_none(), "an item is in one batch");
        assert_eq!(
            batch.attributes["messaging.batch.message_count"],
            batch.links.len().to_string()
        );
        assert_eq!(item.links, [(batch.trace.clone(), batch.id.clone())]);
        assert!(batch.parent.is_empty() && batch.trace != item.trace);
    }
    assert!(!spans.iter().any(|span| span.attributes.values().any(|v| v.starts_with("/health"))));

    service.stop("worker").await;
    lines_carry_their_ids(&service.logs(), id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_carries_the_trace_of_its_job_on_to_the_receiver() {
    let collector = Collector::start().await;
    let settings = [
        ("AISLE_OTLP_ENDPOINT", collector.endpoint.as_str()),
        ("AISLE_DANGER_ALLOW_PRIVATE_NETWORKS", "true"),
    ];
    let service = Service::tiny(Backend::Sqlite, Processes::Apart, &settings).await;
    let receiver = Receiver::start([Behaviour::Status(503), Behaviour::Status(204)]).await;
    let endpoint = json!({"url": receiver.url("/hooks?token=canary")});
    let register = service.client.post(service.url("/v1/webhook-endpoints")).json(&endpoint);
    assert_eq!(register.send().await.unwrap().status(), 201);
    let job = submit(&service).await;
    let told = receiver.got(2).await;
    let (server, attempts) = wait::until("both attempts", || async {
        let spans = collector.spans();
        let server = spans.iter().find(|span| span.name == "POST /v1/jobs").cloned()?;
        let mut attempts = spans;
        attempts.retain(|span| span.name == "webhook");
        (attempts.len() == 2).then_some((server, attempts))
    })
    .await;
    for received in &told {
        let parent = |span: &Received| format!("00-{TRACE}-{}-01", span.id);
        let told = &received.headers["traceparent"];
        assert!(attempts.iter().any(|span| parent(span) == *told), "{told}: {attempts:?}");
    }
    for span in &attempts {
        assert_eq!((span.kind, &*span.service), (CLIENT, "aisle-worker"));
        assert_eq!((&span.trace, &span.parent), (&server.trace, &server.id));
        let conversation = &span.attributes["messaging.message.conversation_id"];
        assert_eq!(conversation, job["id"].as_str().unwrap());
        assert!(!span.attributes.values().any(|value| value.contains("canary")), "{span:?}");
        let (attempt, status, outcome) = (
            &*span.attributes["aisle.attempt"],
            &*span.attributes["http.response.status_code"],
            &*span.attributes["aisle.outcome"],
        );
        assert!(
            [("1", "503", "retry"), ("2", "204", "delivered")]
                .contains(&(attempt, status, outcome))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_down_costs_neither_answers_nor_the_stop() {
    // Port 1 is reserved and nobody listens there.
    let settings = [("AISLE_OTLP_ENDPOINT", "http://127.0.0.1:1")];
    let mut service = Service::tiny(Backend::Sqlite, Processes::One, &settings).await;
    let job = submit(&service).await;
    let job = service.ended(job["id"].as_str().unwrap()).await;
    assert_eq!(job["status"], "succeeded");
    wait::until("the failed export in the metrics", || async {
        let metrics = service.client.get(service.url("/metrics")).send().await.ok()?;
        let metrics = metrics.text().await.ok()?;
        metrics.contains("aisle_trace_export_errors_total").then_some(())
    })
    .await;
    service.stop("serve").await;
    assert!(service.logs().contains("the trace collector takes no spans"), "{}", service.logs());
}

async fn submit(service: &Service) -> Value {
    let bytes = picture(Colour::Red, 64, 64, ImageFormat::Jpeg);
    let form = (0..IMAGES).fold(Form::new(), |form, _| {
        form.part("image", Part::bytes(bytes.clone()).file_name("picture.jpg"))
    });
    let answer = service
        .client
        .post(service.url("/v1/jobs"))
        .header("traceparent", format!("00-{TRACE}-{CALLER}-01"))
        .header("x-request-id", "shop-42")
        .multipart(form)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 202);
    answer.json().await.unwrap()
}

fn items(spans: &[Received]) -> Vec<&Received> {
    spans.iter().filter(|span| span.name == "process tiny").collect()
}

fn batches(spans: &[Received]) -> impl Iterator<Item = &Received> {
    spans.iter().filter(|span| span.name == "batch tiny")
}

/// Each line about the job carries the ids that lead to all others.
fn lines_carry_their_ids(logs: &str, job: &str) {
    let lines: Vec<Value> =
        logs.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let line = |message: &str| {
        let said = |line: &&Value| line["message"] == message && line.to_string().contains(job);
        lines.iter().find(said).unwrap_or_else(|| panic!("no line says {message:?}\n{logs}"))
    };
    let submitted = line("job submitted");
    assert_eq!(submitted["job"], job);
    assert_eq!(submitted["span"]["request_id"], "shop-42");
    assert_eq!(submitted["span"]["trace_id"], TRACE);
    let ended = line("job ended");
    assert_eq!(ended["span"]["job"], job);
    assert_eq!(ended["span"]["trace_id"], TRACE);
    for key in ["item", "worker"] {
        assert!(ended["span"][key].is_string(), "{ended}");
    }
}
