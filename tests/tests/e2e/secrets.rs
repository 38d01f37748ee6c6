//! Secrets do not come to light. Every service of the suite is searched for
//! them when it ends (`aisle_tests::secrets`); here they are planted wherever
//! a request has room for one, and the service logs all that it can.

use std::collections::HashMap;

use aisle_tests::harness::Backend;
use aisle_tests::image_host::ImageHost;
use aisle_tests::pictures::{Colour, picture};
use aisle_tests::places::free_port;
use aisle_tests::secrets::{leaks, secret};
use aisle_tests::service::{ALL_SCOPES, Processes, Service};
use image::ImageFormat;
use reqwest::multipart::{Form, Part};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

/// The most talkative that an operator would ask for.
const LOG: (&str, &str) =
    ("AISLE_LOG", "debug,aisle_api=trace,aisle_shared=trace,aisle_worker=trace");

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_a_request_is_logged_over_sqlite() {
    let settings = [LOG, ("AISLE_DANGER_ALLOW_PRIVATE_NETWORKS", "true")];
    plant(Service::tiny_with_keys(Backend::Sqlite, Processes::One, &settings).await, &["serve"])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_a_request_is_logged_over_redis() {
    // The store's URL has a password, as in the whole suite.
    let settings = [LOG, ("AISLE_LOG_FORMAT", "json")];
    plant(
        Service::tiny_with_keys(Backend::Redis, Processes::Apart, &settings).await,
        &["api", "worker"],
    )
    .await;
}

async fn plant(mut service: Service, processes: &[&str]) {
    let host = ImageHost::serve(HashMap::from([(
        "/a.jpg?X-Amz-Signature=c4naryb1rdsignature",
        picture(Colour::Red, 48, 48, ImageFormat::Jpeg),
    )]))
    .await;
    let signed = |path: &str| host.url(&format!("{path}?X-Amz-Signature={}", secret("signature")));
    let nobody = format!("http://127.0.0.1:{}/a.jpg?token={}", free_port(), secret("token"));
    let user = signed("/a.jpg").replace("http://", &format!("http://shop:{}@", secret("user")));
    let metadata = json!({"order": secret("metadata")});
    // Fetched, not found, not answered; over Redis, not allowed.
    for url in [signed("/a.jpg"), signed("/none.jpg"), nobody, user] {
        let images = json!([{"url": &url}, {"url": &url}]);
        let body = json!({"images": images, "metadata": &metadata});
        let job = submit(service.client.post(service.url("/v1/jobs")).json(&body)).await;
        let id = job["id"].as_str().unwrap_or_else(|| panic!("{url}: {job}"));
        service.ended(id).await;
    }
    for request in refused(&service, &metadata) {
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_client_error(), "{}", answer.text().await.unwrap());
    }
    let file = Part::bytes(picture(Colour::Blue, 48, 48, ImageFormat::Jpeg));
    let form = Form::new()
        .part("image", file.file_name(secret("filename")))
        .text("metadata", metadata.to_string());
    let job = submit(service.client.post(service.url("/v1/jobs")).multipart(form)).await;
    service.ended(job["id"].as_str().expect("a job id")).await;
    let key = service.key("late", ALL_SCOPES);
    let answer = service.client_with(&key).get(service.url("/v1/jobs")).send().await.unwrap();
    assert!(answer.status().is_success());

    for command in processes {
        service.stop(command).await;
    }
    let log = service.whole_log();
    assert!(log.contains("job submitted"), "the log is not where it is searched");
    // What may be known of a key stands there, so the search was not in vain.
    let id = key.strip_prefix("aisle_").and_then(|rest| rest.get(..8)).unwrap();
    assert!(log.contains(id), "the key's id is not logged");
    assert_eq!(leaks(&log), [] as [&str; 0]);
}

async fn submit(request: RequestBuilder) -> Value {
    request.send().await.unwrap().json().await.unwrap()
}

/// Requests with a secret each that are refused in one way or another.
fn refused(service: &Service, metadata: &Value) -> Vec<RequestBuilder> {
    let anyone = Client::builder().no_proxy().build().unwrap();
    let jobs = service.url("/v1/jobs");
    let with = |parameter: &str| format!("{jobs}?{parameter}={}", secret(parameter));
    let client = &service.client;
    let forged = format!("aisle_{}_{}", "c4naryb1", "x".repeat(43));
    vec![
        anyone.get(&jobs).bearer_auth(secret("bearer")),
        anyone.get(&jobs).bearer_auth(forged),
        anyone.get(&jobs).header("x-api-key", secret("header")),
        anyone.get(&jobs).basic_auth("shop", Some(secret("basic"))),
        anyone.get(with("api_key")),
        anyone.post(&jobs).header("cookie", secret("cookie")).body(secret("body")),
        client.get(with("cursor")),
        client.get(with("unknown")),
        client.post(with("metadata")).json(&json!({})),
        client.post(&jobs).header("content-type", "application/json").body(secret("json")),
        client.post(&jobs).json(&json!({"images": [{"base64": secret("base64")}]})),
        client.post(&jobs).json(&json!({"images": [], "metadata": metadata})),
        client.post(&jobs).json(&json!({"images": [{"url": secret("url")}]})),
        client.post(&jobs).json(&json!({secret("field"): 1})),
        client.post(&jobs).header("content-type", "image/jpeg").body(secret("image")),
        client.post(&jobs).multipart(Form::new().text(secret("part"), "x")),
        client.post(&jobs).header("prefer", secret("prefer")).json(&json!({"images": []})),
        client.post(&jobs).header("idempotency-key", secret("idempotency")).json(
            &json!({"images": [], "webhook": {"url": format!("https://h/?{}", secret("hook"))}}),
        ),
    ]
}
