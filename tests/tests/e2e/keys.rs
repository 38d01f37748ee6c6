//! Keys, tenants and TLS, as callers and operators meet them.

use std::time::Instant;

use aisle_tests::harness::Backend;
use aisle_tests::pictures::{Colour, picture};
use aisle_tests::places::free_port;
use aisle_tests::service::{ALL_SCOPES, Processes, Service, binary};
use aisle_tests::wait;
use image::ImageFormat;
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

macro_rules! on_both_stores {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(&with_keys(Backend::Sqlite, Processes::One).await).await;
            })*
        }
        mod redis {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(&with_keys(Backend::Redis, Processes::Apart).await).await;
            })*
        }
    };
}

on_both_stores!(
    no_route_shows_a_tenant_what_is_anothers,
    a_revoked_key_stops_working_within_seconds_and_its_successor_goes_on,
    what_waits_with_a_key_ends_when_it_is_revoked,
    a_key_does_what_its_scopes_say,
);

async fn with_keys(backend: Backend, processes: Processes) -> Service {
    Service::tiny_with_keys(backend, processes, &[]).await
}

/// Submits a photograph and waits for its categories; the job's id.
async fn classify(service: &Service, client: &Client) -> String {
    let answer = client
        .post(service.url("/v1/jobs"))
        .header("content-type", "image/jpeg")
        .header("prefer", "wait=30")
        .body(picture(Colour::Green, 48, 48, ImageFormat::Jpeg))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    let job: Value = answer.json().await.unwrap();
    assert_eq!(job["results"][0]["predictions"][0]["label"], "Cold > Green", "{job}");
    job["id"].as_str().expect("a job id").to_owned()
}

/// Status and problem code; the code is empty where all is well.
async fn ask(client: &Client, method: Method, url: String) -> (StatusCode, String) {
    let answer = client.request(method, url).send().await.unwrap();
    let status = answer.status();
    let problem: Value =
        if status.is_success() { Value::Null } else { answer.json().await.unwrap() };
    (status, problem["code"].as_str().unwrap_or_default().to_owned())
}

async fn no_route_shows_a_tenant_what_is_anothers(service: &Service) {
    let mine = service.client_with(&service.key("mine", ALL_SCOPES));
    let theirs = service.client_with(&service.key("theirs", ALL_SCOPES));
    let job = classify(service, &mine).await;
    let document: Value = service.get("/openapi.json").await;
    let mut tried = 0;
    // Reading before deleting, or nothing would be left to be denied.
    for (path, operations) in document["paths"].as_object().unwrap() {
        if !path.contains("/jobs/{id}") {
            continue;
        }
        for name in operations.as_object().unwrap().keys() {
            let method = Method::from_bytes(name.to_uppercase().as_bytes()).unwrap();
            let url = service.url(&path.replace("{id}", &job));
            let answer = ask(&theirs, method, url).await;
            assert_eq!(
                answer,
                (StatusCode::NOT_FOUND, "job_not_found".to_owned()),
                "{name} {path}"
            );
            tried += 1;
        }
    }
    assert!(tried >= 4, "only {tried} operations on jobs");
    let list = |client: &Client| client.get(service.url("/v1/jobs")).send();
    let foreign: Value = list(&theirs).await.unwrap().json().await.unwrap();
    assert_eq!(foreign["data"], serde_json::json!([]));
    let own: Value = list(&mine).await.unwrap().json().await.unwrap();
    assert_eq!(own["data"][0]["id"], job.as_str());
    // A place in my list is none in theirs.
    let cursor = own["next_cursor"].as_str().unwrap_or_default();
    assert!(cursor.is_empty(), "one job has no second page");
    let url = service.url(&format!("/v1/jobs/{job}"));
    assert_eq!(ask(&mine, Method::DELETE, url).await.0, StatusCode::NO_CONTENT);
}

async fn a_revoked_key_stops_working_within_seconds_and_its_successor_goes_on(service: &Service) {
    let (old, new) = (service.key("shop", ALL_SCOPES), service.key("shop", ALL_SCOPES));
    let (old_client, new_client) = (service.client_with(&old), service.client_with(&new));
    let job = classify(service, &old_client).await;
    let url = service.url(&format!("/v1/jobs/{job}"));
    assert_eq!(ask(&new_client, Method::GET, url.clone()).await.0, StatusCode::OK);

    let id = old.strip_prefix("aisle_").and_then(|rest| rest.get(..8)).unwrap();
    let revoked = service.run(&["keys", "revoke", id]);
    assert!(revoked.status.success(), "{}", String::from_utf8_lossy(&revoked.stderr));
    let since = Instant::now();
    let code = wait::until("the revoked key's end", || async {
        let (status, code) = ask(&old_client, Method::GET, url.clone()).await;
        (status == StatusCode::UNAUTHORIZED).then_some(code)
    })
    .await;
    // Three by design; the rest is for a machine that is busy.
    assert!(since.elapsed().as_secs() < 8, "it worked for {:?}", since.elapsed());
    assert_eq!(code, "invalid_api_key");
    assert_eq!(ask(&new_client, Method::GET, url).await.0, StatusCode::OK);
}

async fn what_waits_with_a_key_ends_when_it_is_revoked(service: &Service) {
    let (old, new) = (service.key("shop", ALL_SCOPES), service.key("shop", ALL_SCOPES));
    let (old_client, new_client) = (service.client_with(&old), service.client_with(&new));
    // A job that does not end.
    assert!(service.run(&["queue", "pause"]).status.success());
    let answer = old_client
        .post(service.url("/v1/jobs"))
        .header("content-type", "image/jpeg")
        .body(picture(Colour::Green, 48, 48, ImageFormat::Jpeg))
        .send();
    let job: Value = answer.await.unwrap().json().await.unwrap();
    let url = service.url(&format!("/v1/jobs/{}", job["id"].as_str().unwrap()));
    let follow = |client: &Client| client.get(format!("{url}/events")).send();
    let mut ending = follow(&old_client).await.unwrap();
    let mut staying = follow(&new_client).await.unwrap();
    for stream in [&mut ending, &mut staying] {
        assert!(stream.chunk().await.unwrap().unwrap().starts_with(b"event: job"));
    }
    let waiting = old_client.get(&url).header("prefer", "wait=60").send();
    let revoking = async {
        let id = old.strip_prefix("aisle_").and_then(|rest| rest.get(..8)).unwrap();
        assert!(service.run(&["keys", "revoke", id]).status.success());
        Instant::now()
    };
    let (waited, revoked) = tokio::join!(waiting, revoking);
    let problem: Value = waited.unwrap().json().await.unwrap();
    assert_eq!(problem["code"], "invalid_api_key");
    let rest = tokio::time::timeout(wait::DEADLINE, ending.chunk()).await;
    assert_eq!(rest.expect("an end").unwrap(), None);
    // Four by design; the rest is for a machine that is busy. The first
    // heartbeat would come after 15.
    assert!(revoked.elapsed().as_secs() < 12, "they went on for {:?}", revoked.elapsed());

    assert!(service.run(&["queue", "resume"]).status.success());
    let mut last = Vec::new();
    while let Some(chunk) = staying.chunk().await.unwrap() {
        last = chunk.to_vec();
    }
    assert!(String::from_utf8_lossy(&last).contains("succeeded"), "{last:?}");
}

async fn a_key_does_what_its_scopes_say(service: &Service) {
    let reader = service.client_with(&service.key("shop", "jobs:read"));
    let writer = service.client_with(&service.key("shop", "jobs:write"));
    let job = classify(service, &writer).await;
    let url = service.url(&format!("/v1/jobs/{job}"));
    assert_eq!(ask(&reader, Method::GET, url.clone()).await.0, StatusCode::OK);
    let denied = (StatusCode::FORBIDDEN, "insufficient_scope".to_owned());
    assert_eq!(ask(&writer, Method::GET, url.clone()).await, denied);
    for (method, url) in [
        (Method::DELETE, url.clone()),
        (Method::POST, format!("{url}/cancel")),
        (Method::POST, service.url("/v1/jobs")),
        (Method::GET, service.url("/metrics")),
    ] {
        assert_eq!(ask(&reader, method, url.clone()).await, denied, "{url}");
    }
    let anyone = Client::builder().no_proxy().build().unwrap();
    let unknown = (StatusCode::UNAUTHORIZED, "unauthenticated".to_owned());
    assert_eq!(ask(&anyone, Method::GET, url).await, unknown);
    assert_eq!(ask(&anyone, Method::GET, service.url("/health/ready")).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_address_is_served_as_soon_as_there_is_a_key() {
    let port = free_port();
    let listen = format!("0.0.0.0:{port}");
    let admin = format!("127.0.0.1:{}", free_port());
    let settings = [("AISLE_LISTEN", &*listen), ("AISLE_ADMIN_LISTEN", &*admin)];
    let mut service = Service::in_folder(Backend::Sqlite, &settings).await;
    service.base = format!("http://127.0.0.1:{port}");
    let refused = service.run(&["serve"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("aisle keys create"), "{told}");

    service.client = service.client_with(&service.key("shop", ALL_SCOPES));
    service.begin(Processes::One).await;
    classify(&service, &service.client).await;
    let anyone = Client::builder().no_proxy().build().unwrap();
    let (status, _) = ask(&anyone, Method::GET, service.url("/v1/jobs")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    // Metrics are where administrators listen, and only there.
    let (status, _) = ask(&service.client, Method::GET, service.url("/metrics")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let metrics = anyone.get(format!("http://{admin}/metrics")).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(metrics.contains("aisle_jobs_submitted_total{"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_is_served_over_tls_and_over_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());
    let settings = [("AISLE_LISTEN", &*listen), ("AISLE_TLS_CERT", cert), ("AISLE_TLS_KEY", key)];
    let mut service = Service::in_folder(Backend::Sqlite, &settings).await;
    service.base = format!("https://localhost:{port}");
    let root = reqwest::Certificate::from_der(made.cert.der()).unwrap();
    let trusting = Client::builder().no_proxy().tls_certs_only([root]);
    service.client = trusting.build().unwrap();
    service.begin(Processes::One).await;
    classify(&service, &service.client).await;

    let answer = service.client.get(service.url("/health/live")).send().await.unwrap();
    assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000");
    assert!(!answer.headers().contains_key("server"));
    let distrusting = Client::builder().no_proxy().build().unwrap();
    assert!(distrusting.get(service.url("/health/live")).send().await.is_err());
    let plain = distrusting.get(format!("http://{listen}/health/live")).send().await;
    assert!(plain.is_err(), "{plain:?}");

    // A health check knows the certificate from the settings, or is told it.
    let health = |arguments: &[&str]| service.run(&[&["health"], arguments].concat());
    let own = health(&[]);
    assert!(own.status.success(), "{}", String::from_utf8_lossy(&own.stderr));
    let mut elsewhere = std::process::Command::new(binary());
    let url = format!("https://{listen}/health/ready");
    let asked = elsewhere.args(["health", &url, "--ca", cert]).output().unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let other_cert = folder.path().join("other.pem");
    std::fs::write(&other_cert, other.cert.pem()).unwrap();
    assert!(!health(&["--ca", other_cert.to_str().unwrap()]).status.success());
    let distrusting = std::process::Command::new(binary()).args(["health", &url]).output();
    assert!(!distrusting.unwrap().status.success());
}
