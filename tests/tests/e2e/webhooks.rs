//! Webhooks from outside: what receivers get, by what they do.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, UNIX_EPOCH};

use aisle_shared::webhook::{MasterKey, Secret, Signed, verify};
use aisle_tests::harness::Backend;
use aisle_tests::pictures::{Colour, picture};
use aisle_tests::places::{python, repository};
use aisle_tests::receiver::Behaviour::{Drip, Flood, Hang, Redirect, RetryAfter, Status};
use aisle_tests::receiver::{Received, Receiver};
use aisle_tests::service::{ALL_SCOPES, Processes, Service};
use aisle_tests::wait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use image::ImageFormat;
use reqwest::Method;
use serde_json::{Value, json};

const ALLOW_LOOPBACK: (&str, &str) = ("AISLE_DANGER_ALLOW_PRIVATE_NETWORKS", "true");

macro_rules! on_both_stores {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let settings = [ALLOW_LOOPBACK];
                let service = Service::tiny(Backend::Sqlite, Processes::One, &settings).await;
                super::$name(&service).await;
            })*
        }
        mod redis {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let key = MasterKey::generate().reveal().to_string();
                let settings = [ALLOW_LOOPBACK, ("AISLE_SECRET_KEY", key.as_str())];
                let service = Service::tiny(Backend::Redis, Processes::Apart, &settings).await;
                super::$name(&service).await;
            })*
        }
    };
}

on_both_stores!(
    a_job_names_its_receiver_and_official_libraries_verify_what_it_gets,
    a_registered_endpoint_gets_the_events_that_it_wants,
    both_secrets_sign_while_they_overlap,
    every_attempt_has_the_same_id,
    an_endpoint_that_is_gone_is_disabled_and_can_be_enabled,
    a_redirect_is_a_failure_and_is_not_followed,
    a_receiver_that_asks_for_time_gets_up_to_an_hour,
    receivers_that_hang_drip_or_flood_delay_no_other,
    a_delivery_is_replayed_from_the_log,
    what_no_certificate_vouches_for_gets_nothing,
    secrets_and_tokens_stand_in_no_log_and_no_list,
);

async fn send(service: &Service, method: Method, path: &str, body: Value) -> (u16, Value) {
    let request = service.client.request(method, service.url(path)).json(&body);
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or_default())
}

async fn register(service: &Service, url: &str, events: &[&str]) -> (String, Secret) {
    let body = json!({"url": url, "events": events});
    let (status, endpoint) = send(service, Method::POST, "/v1/webhook-endpoints", body).await;
    assert_eq!(status, 201, "{endpoint}");
    (endpoint["id"].as_str().unwrap().to_owned(), secret_in(&endpoint))
}

async fn rotate(service: &Service, endpoint: &str, body: Value) -> Secret {
    let path = format!("/v1/webhook-endpoints/{endpoint}/rotate-secret");
    let (status, endpoint) = send(service, Method::POST, &path, body).await;
    assert_eq!(status, 200, "{endpoint}");
    secret_in(&endpoint)
}

fn secret_in(endpoint: &Value) -> Secret {
    Secret::parse(endpoint["secret"].as_str().expect("a secret")).expect("a secret")
}

fn one_image() -> Value {
    let bytes = picture(Colour::Green, 64, 48, ImageFormat::Jpeg);
    json!({"images": [{"base64": BASE64.encode(bytes)}], "metadata": {"sku": "A-1"}})
}

/// Submits a job of one image, with a receiver of its own or without.
async fn submit(service: &Service, webhook: Option<String>) -> String {
    let mut body = one_image();
    if let Some(url) = &webhook {
        body["webhook"] = json!({ "url": url });
    }
    let (status, job) = send(service, Method::POST, "/v1/jobs", body).await;
    assert_eq!(status, 202, "{job}");
    assert_eq!(job["webhook"]["url"].as_str(), webhook.as_deref());
    job["id"].as_str().unwrap().to_owned()
}

/// The delivery of a job to an endpoint, once it is as it should be.
async fn delivery(
    service: &Service,
    job: &str,
    endpoint: &str,
    is_so: impl Fn(&Value) -> bool,
) -> Value {
    let path = format!("/v1/webhook-deliveries?job={job}&endpoint={endpoint}");
    wait::until("the delivery", || async {
        let listed = service.get(&path).await;
        listed["data"].as_array().unwrap().iter().find(|delivery| is_so(delivery)).cloned()
    })
    .await
}

fn is(status: &'static str) -> impl Fn(&Value) -> bool {
    move |delivery| delivery["status"] == status
}

/// An attempt is counted when it begins, and listed when it has ended.
fn has_been_tried(delivery: &Value) -> bool {
    delivery["attempts"].as_array().is_some_and(|attempts| !attempts.is_empty())
}

fn header<'r>(received: &'r Received, name: &str) -> &'r str {
    received.headers.get(name).unwrap_or_else(|| panic!("no {name} in {received:?}"))
}

fn is_signed_by(received: &Received, secret: &Secret) -> bool {
    let signed = Signed {
        id: header(received, "webhook-id"),
        timestamp: header(received, "webhook-timestamp"),
        signature: header(received, "webhook-signature"),
    };
    let at = received.at.duration_since(UNIX_EPOCH).unwrap().as_secs();
    verify(secret, &signed, received.body.as_bytes(), at).is_ok()
}

/// What the official libraries say of a message: the crate, and the Python
/// package where it is installed.
fn is_officially_signed_by(received: &Received, secret: &Secret) -> bool {
    let official = standardwebhooks::Webhook::new(&secret.reveal()).unwrap();
    let mut headers = reqwest::header::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, header(received, name).parse().unwrap());
    }
    let by_crate = official.verify(received.body.as_bytes(), &headers).is_ok();
    match verified_by_python(received, secret) {
        Some(by_python) => {
            assert_eq!(by_crate, by_python);
            by_python
        }
        None => by_crate,
    }
}

fn verified_by_python(received: &Received, secret: &Secret) -> Option<bool> {
    let there = Command::new(python()).args(["-c", "import standardwebhooks"]).output();
    if !there.expect("Python runs").status.success() {
        // Past the test runner, which shows nothing of tests that pass.
        let _ = writeln!(
            std::io::stderr(),
            "skipped verifying by Python: standardwebhooks is absent, `make setup-tests` brings it"
        );
        return None;
    }
    let mut run = Command::new(python())
        .arg(repository().join("tests/python/verify_webhook.py"))
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("Python runs");
    let (secret, headers, body) = (secret.reveal(), &received.headers, &received.body);
    let message = json!({"secret": secret, "headers": headers, "body": body}).to_string();
    run.stdin.take().unwrap().write_all(message.as_bytes()).unwrap();
    Some(run.wait().unwrap().success())
}

async fn a_job_names_its_receiver_and_official_libraries_verify_what_it_gets(service: &Service) {
    let receiver = Receiver::start([Status(204)]).await;
    let secret = rotate(service, "callbacks", json!({})).await;
    let job = submit(service, Some(receiver.url("/hooks?token=x"))).await;
    let received = receiver.got(1).await.remove(0);
    assert_eq!(received.path, "/hooks?token=x");
    assert_eq!(header(&received, "content-type"), "application/json");
    assert_eq!(header(&received, "webhook-id"), format!("msg_{}", job.replace('-', "")));
    assert!(is_signed_by(&received, &secret));
    assert!(is_officially_signed_by(&received, &secret));
    assert!(!is_officially_signed_by(&received, &Secret::generate()));
    let forged =
        Received { body: received.body.replace("succeeded", "failed"), ..received.clone() };
    assert!(!is_officially_signed_by(&forged, &secret));

    let body: Value = serde_json::from_str(&received.body).unwrap();
    let data = &body["data"];
    assert_eq!((&body["type"], &data["id"]), (&json!("job.succeeded"), &json!(job)));
    assert_eq!(data["metadata"], json!({"sku": "A-1"}));
    assert_eq!(data["results"][0]["predictions"][0]["label"], "Cold > Green");
    assert_eq!(data["urls"]["job"], format!("/v1/jobs/{job}"));
    let delivered = delivery(service, &job, "callbacks", is("delivered")).await;
    assert_eq!(delivered["attempts"][0]["status"], 204);
    assert_eq!(delivered["message_id"], header(&received, "webhook-id"));

    // A form and a raw image may name a receiver too.
    let form = reqwest::multipart::Form::new()
        .text("webhook_url", receiver.url("/form"))
        .part("image", reqwest::multipart::Part::bytes(&b"no image"[..]).file_name("a.jpg"))
        .part("image", reqwest::multipart::Part::bytes(&b"nor this"[..]).file_name("b.jpg"));
    let answer = service.client.post(service.url("/v1/jobs")).multipart(form).send().await;
    assert_eq!(answer.unwrap().status(), 202);
    let second = receiver.got(2).await.remove(1);
    let body: Value = serde_json::from_str(&second.body).unwrap();
    assert_eq!((second.path.as_str(), &body["type"]), ("/form", &json!("job.failed")));
    assert_eq!(body["data"]["results"][0]["error"]["code"], "unsupported_type");
}

async fn a_registered_endpoint_gets_the_events_that_it_wants(service: &Service) {
    let (all, failed) =
        (Receiver::start([Status(200)]).await, Receiver::start([Status(200)]).await);
    let (_, secret) = register(service, &all.url("/all"), &[]).await;
    register(service, &failed.url("/failed"), &["job.failed", "job.partial"]).await;
    submit(service, None).await;
    assert!(is_signed_by(&all.got(1).await[0], &secret));
    let body = json!({"images": [{"url": "http://127.0.0.1:1/a.jpg"}, {"base64": "AAAA"}]});
    let (status, job) = send(service, Method::POST, "/v1/jobs", body).await;
    assert_eq!(status, 202, "{job}");
    let cancel = format!("/v1/jobs/{}/cancel", job["id"].as_str().unwrap());
    send(service, Method::POST, &cancel, json!({})).await;
    let second: Value = serde_json::from_str(&all.got(2).await[1].body).unwrap();
    assert_eq!(second["type"], "job.canceled");
    assert!(failed.received().is_empty());
}

async fn both_secrets_sign_while_they_overlap(service: &Service) {
    let receiver = Receiver::start([Status(200)]).await;
    let (endpoint, old) = register(service, &receiver.url("/"), &[]).await;
    let new = rotate(service, &endpoint, json!({})).await;
    submit(service, None).await;
    let first = receiver.got(1).await.remove(0);
    assert!(is_officially_signed_by(&first, &old) && is_officially_signed_by(&first, &new));
    assert_eq!(header(&first, "webhook-signature").split(' ').count(), 2);
    let view = service.get(&format!("/v1/webhook-endpoints/{endpoint}")).await;
    assert!(view["previous_secret_expires_at"].is_string(), "{view}");

    let last = rotate(service, &endpoint, json!({"overlap_seconds": 0})).await;
    submit(service, None).await;
    let second = receiver.got(2).await.remove(1);
    assert!(is_officially_signed_by(&second, &last));
    assert!(!is_signed_by(&second, &old) && !is_signed_by(&second, &new));
}

async fn every_attempt_has_the_same_id(service: &Service) {
    let receiver = Receiver::start([Status(500), Status(200)]).await;
    let (endpoint, secret) = register(service, &receiver.url("/"), &[]).await;
    let job = submit(service, None).await;
    let received = receiver.got(2).await;
    assert_eq!(header(&received[0], "webhook-id"), header(&received[1], "webhook-id"));
    assert!(received.iter().all(|each| is_signed_by(each, &secret)));
    let pause = received[1].at.duration_since(received[0].at).unwrap();
    assert!(pause > Duration::from_millis(3_500), "{pause:?}");
    let delivered = delivery(service, &job, &endpoint, is("delivered")).await;
    assert_eq!(delivered["attempted"], 2, "{delivered}");
    assert_eq!(delivered["attempts"][0]["error"], "refused");
    assert_eq!(delivered["attempts"][1]["error"], Value::Null);
}

async fn an_endpoint_that_is_gone_is_disabled_and_can_be_enabled(service: &Service) {
    let receiver = Receiver::start([Status(410), Status(200)]).await;
    let (endpoint, _) = register(service, &receiver.url("/"), &[]).await;
    let job = submit(service, None).await;
    let failed = delivery(service, &job, &endpoint, is("failed")).await;
    assert_eq!(failed["attempts"][0]["error"], "gone");
    let path = format!("/v1/webhook-endpoints/{endpoint}");
    assert_eq!(service.get(&path).await["disabled"]["because"], "gone");
    let unheard = submit(service, None).await;
    service.ended(&unheard).await;
    let (status, view) = send(service, Method::PATCH, &path, json!({"enabled": true})).await;
    assert_eq!((status, &view["disabled"]), (200, &Value::Null), "{view}");
    let heard = submit(service, None).await;
    let second = receiver.got(2).await.remove(1);
    assert!(second.body.contains(&heard) && !second.body.contains(&unheard));
}

async fn a_redirect_is_a_failure_and_is_not_followed(service: &Service) {
    let elsewhere = Receiver::start([Status(200)]).await;
    let receiver = Receiver::start([Redirect(elsewhere.url("/"))]).await;
    let (endpoint, _) = register(service, &receiver.url("/"), &[]).await;
    let job = submit(service, None).await;
    let tried = delivery(service, &job, &endpoint, has_been_tried).await;
    assert_eq!(
        (&tried["status"], &tried["attempts"][0]["status"]),
        (&json!("pending"), &json!(307))
    );
    assert_eq!(tried["attempts"][0]["error"], "redirected");
    receiver.got(2).await;
    assert!(elsewhere.received().is_empty());
}

async fn a_receiver_that_asks_for_time_gets_up_to_an_hour(service: &Service) {
    let receiver = Receiver::start([RetryAfter(429, "86400".to_owned())]).await;
    let (endpoint, _) = register(service, &receiver.url("/"), &[]).await;
    let job = submit(service, None).await;
    let tried = delivery(service, &job, &endpoint, has_been_tried).await;
    let at = |text: &Value| text.as_str().unwrap()[..19].to_owned();
    let (began, due) = (at(&tried["attempts"][0]["at"]), at(&tried["due_at"]));
    // One hour later: the same minute and second, give or take a few seconds.
    let minutes = |text: &str| {
        let number = |range: std::ops::Range<usize>| text[range].parse::<i64>().unwrap();
        (number(8..10) * 24 + number(11..13)) * 3_600 + number(14..16) * 60 + number(17..19)
    };
    let waits = minutes(&due) - minutes(&began);
    assert!((3_595..=3_625).contains(&waits) || waits < 0, "{began} to {due}");
}

async fn receivers_that_hang_drip_or_flood_delay_no_other(service: &Service) {
    let hanging = Receiver::start([Hang]).await;
    let (dripping, flooding) = (Receiver::start([Drip]).await, Receiver::start([Flood]).await);
    let quick = Receiver::start([Status(200)]).await;
    let (hangs, _) = register(service, &hanging.url("/"), &[]).await;
    for receiver in [&dripping, &flooding, &quick] {
        register(service, &receiver.url("/"), &[]).await;
    }
    let mut last = String::new();
    for _ in 0..8 {
        last = submit(service, None).await;
    }
    quick.got(8).await;
    // Whoever hangs is still being waited for, by no more than the cap.
    assert!(hanging.received().len() <= 4);
    let waits = service.get(&format!("/v1/webhook-deliveries?job={last}&endpoint={hangs}")).await;
    assert_eq!(waits["data"][0]["status"], "pending", "{waits}");
    for receiver in [&dripping, &flooding] {
        receiver.got(8).await;
    }
    let delivered = service.get("/v1/webhook-deliveries?status=delivered&limit=100").await;
    assert!(delivered["data"].as_array().unwrap().len() >= 8, "{delivered}");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_hanging_receivers_of_a_tenant_delay_no_other_over_sqlite() {
    three_hundred_hanging_receivers_of_a_tenant_delay_no_other(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_hanging_receivers_of_a_tenant_delay_no_other_over_redis() {
    three_hundred_hanging_receivers_of_a_tenant_delay_no_other(Backend::Redis).await;
}

async fn three_hundred_hanging_receivers_of_a_tenant_delay_no_other(backend: Backend) {
    let key = MasterKey::generate().reveal().to_string();
    let settings = [ALLOW_LOOPBACK, ("AISLE_SECRET_KEY", key.as_str())];
    let service = Service::tiny_with_keys(backend, Processes::One, &settings).await;
    let (slow, quick) = ["slow", "quick"].map(|tenant| service.key(tenant, ALL_SCOPES)).into();
    let (slow, quick) = (service.client_with(&slow), service.client_with(&quick));
    let ask = |client: &reqwest::Client, path: &str, body: Value| {
        let request = client.post(service.url(path)).json(&body);
        async move {
            let answer = request.send().await.expect("an answer");
            assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        }
    };
    for client in [&slow, &quick] {
        ask(client, "/v1/webhook-endpoints/callbacks/rotate-secret", json!({})).await;
    }
    let telling = |url: String| {
        let mut body = one_image();
        body["webhook"] = json!({ "url": url });
        body
    };
    let mut hanging = Vec::new();
    for _ in 0..300 {
        let receiver = Receiver::start([Hang]).await;
        ask(&slow, "/v1/jobs", telling(receiver.url("/"))).await;
        hanging.push(receiver);
    }
    let receiver = Receiver::start([Status(204)]).await;
    for told in 1..=5 {
        let began = Instant::now();
        ask(&quick, "/v1/jobs", telling(receiver.url("/"))).await;
        receiver.got(told).await;
        // A sender waits 15 seconds for one that hangs.
        assert!(began.elapsed() < Duration::from_secs(10), "{told}: {:?}", began.elapsed());
    }
    // As many as a tenant may have under way, and one of the other.
    let shown = service.client.get(service.url("/metrics")).send().await.unwrap();
    let shown = shown.text().await.unwrap();
    let mut shown = shown.lines().filter_map(|line| line.strip_prefix("aisle_webhooks_in_flight "));
    let under_way: usize = shown.next().expect("the gauge").parse().unwrap();
    assert!((1..=33).contains(&under_way), "{under_way} are under way");
    let tried = hanging.iter().filter(|receiver| !receiver.received().is_empty()).count();
    assert!((1..300).contains(&tried), "{tried} of those that hang were tried by now");
}

async fn a_delivery_is_replayed_from_the_log(service: &Service) {
    let receiver = Receiver::start([Status(200)]).await;
    let (endpoint, secret) = register(service, &receiver.url("/"), &[]).await;
    let job = submit(service, None).await;
    let delivered = delivery(service, &job, &endpoint, is("delivered")).await;
    let path = format!("/v1/webhook-deliveries/{}", delivered["id"].as_str().unwrap());
    let (status, replayed) =
        send(service, Method::POST, &format!("{path}/replay"), json!({})).await;
    assert_eq!(status, 202, "{replayed}");
    let received = receiver.got(2).await;
    assert_eq!(header(&received[0], "webhook-id"), header(&received[1], "webhook-id"));
    assert!(is_signed_by(&received[1], &secret));
    let twice = |delivery: &Value| delivery["attempted"] == 2 && delivery["status"] == "delivered";
    delivery_at(service, &path, twice).await;

    for _ in 0..3 {
        submit(service, None).await;
    }
    receiver.got(5).await;
    let mut listed = Vec::new();
    let mut next = Some(format!("/v1/webhook-deliveries?endpoint={endpoint}&limit=3"));
    while let Some(path) = next {
        let page = service.get(&path).await;
        listed.extend(page["data"].as_array().unwrap().iter().map(|each| each["id"].clone()));
        let cursor = page["next_cursor"].as_str();
        next = cursor.map(|cursor| {
            format!("/v1/webhook-deliveries?endpoint={endpoint}&limit=3&cursor={cursor}")
        });
    }
    assert_eq!((listed.len(), &listed[3]), (4, &delivered["id"]));
}

async fn delivery_at(service: &Service, path: &str, is_so: impl Fn(&Value) -> bool) {
    wait::until("the delivery", || async { is_so(&service.get(path).await).then_some(()) }).await;
}

async fn what_no_certificate_vouches_for_gets_nothing(service: &Service) {
    let receiver = Receiver::start_tls([Status(200)]).await;
    let (endpoint, _) = register(service, &receiver.url("/"), &[]).await;
    let job = submit(service, None).await;
    let tried = delivery(service, &job, &endpoint, has_been_tried).await;
    assert_eq!(tried["attempts"][0]["error"], "bad_certificate", "{tried}");
    assert!(receiver.received().is_empty());
}

async fn secrets_and_tokens_stand_in_no_log_and_no_list(service: &Service) {
    let receiver = Receiver::start([Status(500), Status(200)]).await;
    let (endpoint, secret) = register(service, &receiver.url("/?token=canary"), &[]).await;
    let secrets = [
        secret,
        rotate(service, &endpoint, json!({})).await,
        rotate(service, "callbacks", json!({})).await,
    ];
    submit(service, Some(receiver.url("/?token=canary"))).await;
    receiver.got(3).await;
    let shown = [
        service.get("/v1/webhook-endpoints").await.to_string(),
        service.get(&format!("/v1/webhook-endpoints/{endpoint}")).await.to_string(),
        service.get("/v1/webhook-deliveries").await.to_string(),
    ];
    let logs = service.whole_log();
    assert!(logs.contains("webhook sent"), "{logs}");
    assert!(!logs.contains("canary"), "{logs}");
    for secret in &secrets {
        let text = secret.reveal();
        let text = text.strip_prefix("whsec_").unwrap();
        assert!(!logs.contains(text), "{logs}");
        assert!(shown.iter().all(|shown| !shown.contains(text)), "{shown:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_on_a_private_address_is_refused() {
    let service = Service::tiny(Backend::Sqlite, Processes::One, &[]).await;
    for url in [
        "https://127.0.0.1/hooks",
        "https://[::1]/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://localhost/",
        "https://user:password@shop.example.com/",
        "http://shop.example.com/",
        "ftp://shop.example.com/",
    ] {
        let mut body = one_image();
        body["webhook"] = json!({ "url": url });
        for (path, body) in [("/v1/jobs", body), ("/v1/webhook-endpoints", json!({ "url": url }))] {
            let (status, problem) = send(&service, Method::POST, path, body).await;
            assert_eq!((status, &problem["code"]), (422, &json!("url_not_allowed")), "{url}");
        }
    }
    let (status, problem) =
        send(&service, Method::POST, "/v1/jobs?webhook_url=https://127.0.0.1/", one_image()).await;
    assert_eq!((status, &problem["code"]), (422, &json!("url_not_allowed")));
}

#[tokio::test(flavor = "multi_thread")]
async fn over_redis_there_are_no_webhooks_without_a_shared_key() {
    let service = Service::tiny(Backend::Redis, Processes::Apart, &[]).await;
    let mut body = one_image();
    body["webhook"] = json!({"url": "https://shop.example.com/"});
    let endpoint = json!({"url": "https://shop.example.com/"});
    for (path, body) in [("/v1/jobs", body), ("/v1/webhook-endpoints", endpoint)] {
        let (status, problem) = send(&service, Method::POST, path, body).await;
        assert_eq!((status, &problem["code"]), (501, &json!("webhooks_not_configured")));
    }
    let logs = service.whole_log();
    assert!(logs.contains("no webhooks are sent"), "{logs}");
}
