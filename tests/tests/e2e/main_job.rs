//! The main job: a photograph in, its categories out, by every way in.

use std::collections::HashMap;
use std::time::Duration;

use aisle_tests::harness::Backend;
use aisle_tests::image_host::ImageHost;
use aisle_tests::pictures::{Colour, picture};
use aisle_tests::service::{Processes, Service};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use image::ImageFormat;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

const ALLOW_LOOPBACK: (&str, &str) = ("AISLE_DANGER_ALLOW_PRIVATE_NETWORKS", "true");

macro_rules! on_both_stores {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(&tiny(Backend::Sqlite, Processes::One).await).await;
            })*
        }
        mod redis {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(&tiny(Backend::Redis, Processes::Apart).await).await;
            })*
        }
    };
}

on_both_stores!(
    an_uploaded_photograph_gets_its_categories,
    every_way_in_leads_to_the_same_answer,
    one_bad_image_costs_one_item,
    a_waiting_caller_gets_the_answer_at_once,
    a_job_can_be_read_listed_and_deleted,
    a_canceled_job_ends_canceled_and_keeps_what_was_done,
    events_end_with_the_finished_job,
    a_job_of_a_thousand_images_is_answered_in_pages,
    what_the_service_does_stands_in_its_metrics,
);

async fn tiny(backend: Backend, processes: Processes) -> Service {
    Service::tiny(backend, processes, &[ALLOW_LOOPBACK]).await
}

fn jpeg(colour: Colour) -> Vec<u8> {
    picture(colour, 64, 48, ImageFormat::Jpeg)
}

fn image_part(bytes: Vec<u8>) -> Part {
    Part::bytes(bytes).file_name("photograph.jpg").mime_str("image/jpeg").unwrap()
}

async fn post_files(service: &Service, files: Vec<Vec<u8>>) -> Value {
    let form =
        files.into_iter().fold(Form::new(), |form, bytes| form.part("image", image_part(bytes)));
    let answer = service.client.post(service.url("/v1/jobs")).multipart(form).send().await.unwrap();
    assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let job: Value = answer.json().await.unwrap();
    assert!(location.ends_with(&format!("/v1/jobs/{}", id(&job))), "{location}");
    job
}

async fn post_json(service: &Service, body: &Value) -> Value {
    let answer = service.client.post(service.url("/v1/jobs")).json(body).send().await.unwrap();
    assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
    answer.json().await.unwrap()
}

fn id(job: &Value) -> &str {
    job["id"].as_str().expect("a job id")
}

fn best(result: &Value) -> &str {
    result["predictions"][0]["label"]
        .as_str()
        .unwrap_or_else(|| panic!("no prediction in {result}"))
}

async fn an_uploaded_photograph_gets_its_categories(service: &Service) {
    let job = post_files(service, vec![jpeg(Colour::Green)]).await;
    let job = service.ended(id(&job)).await;
    assert_eq!(job["status"], "succeeded");
    assert_eq!(
        job["items"],
        json!({"total": 1, "succeeded": 1, "failed": 0, "canceled": 0, "cached": 0})
    );
    let result = &job["results"][0];
    assert_eq!(best(result), "Cold > Green");
    assert_eq!(result["predictions"][0]["path"], json!(["Cold", "Green"]));
    assert_eq!(result["predictions"].as_array().unwrap().len(), 3);
    assert!(result["predictions"][0]["score"].as_f64() > Some(0.9), "{result}");
    assert_eq!(result["levels"][0][0]["label"], "Cold");
    assert!(result["model_version"].as_str().unwrap().starts_with("sha256:"), "{result}");
    assert_eq!(result["image"]["width"], 64);
    assert_eq!(result["image"]["height"], 48);
}

async fn every_way_in_leads_to_the_same_answer(service: &Service) {
    let bytes = jpeg(Colour::Blue);
    let host = ImageHost::serve(HashMap::from([("/blue.jpg", bytes.clone())])).await;
    let raw = service
        .client
        .post(service.url("/v1/jobs"))
        .header("content-type", "image/jpeg")
        .body(bytes.clone())
        .send()
        .await
        .unwrap();
    let raw: Value = raw.json().await.unwrap();
    let jobs = [
        post_files(service, vec![bytes.clone()]).await,
        raw,
        post_json(service, &json!({"images": [{"base64": BASE64.encode(&bytes)}]})).await,
        post_json(service, &json!({"images": [{"url": host.url("/blue.jpg")}]})).await,
    ];
    let mut answers = Vec::new();
    for job in &jobs {
        let job = service.ended(id(job)).await;
        assert_eq!(job["status"], "succeeded", "{job}");
        answers.push(job["results"][0]["predictions"].clone());
    }
    assert_eq!(answers[0][0]["label"], "Cold > Blue");
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
}

async fn one_bad_image_costs_one_item(service: &Service) {
    let mut truncated = jpeg(Colour::Red);
    truncated.truncate(truncated.len() / 2);
    let files =
        vec![jpeg(Colour::Red), b"%PDF-1.7 no image".to_vec(), truncated, jpeg(Colour::Blue)];
    let job = post_files(service, files).await;
    let job = service.ended(id(&job)).await;
    assert_eq!(job["status"], "partial");
    assert_eq!(
        job["items"],
        json!({"total": 4, "succeeded": 2, "failed": 2, "canceled": 0, "cached": 0})
    );
    assert_eq!(best(&job["results"][0]), "Warm > Red");
    assert_eq!(job["results"][1]["status"], "failed");
    assert_eq!(job["results"][1]["error"]["code"], "unsupported_type");
    assert_eq!(job["results"][2]["error"]["code"], "truncated");
    assert_eq!(best(&job["results"][3]), "Cold > Blue");
}

async fn a_waiting_caller_gets_the_answer_at_once(service: &Service) {
    let answer = service
        .client
        .post(service.url("/v1/jobs?top_k=1"))
        .header("content-type", "image/png")
        .header("prefer", "wait=30")
        .body(picture(Colour::Red, 40, 40, ImageFormat::Png))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["preference-applied"], "wait=30");
    let job: Value = answer.json().await.unwrap();
    assert_eq!(job["status"], "succeeded");
    assert_eq!(job["results"][0]["predictions"].as_array().unwrap().len(), 1);
}

async fn a_job_can_be_read_listed_and_deleted(service: &Service) {
    let job = post_files(service, vec![jpeg(Colour::Red)]).await;
    let path = format!("/v1/jobs/{}", id(&job));
    service.ended(id(&job)).await;
    let first = service.client.get(service.url(&path)).send().await.unwrap();
    let tag = first.headers()["etag"].clone();
    let again = service.client.get(service.url(&path)).header("if-none-match", tag);
    assert_eq!(again.send().await.unwrap().status(), 304);
    let listed = service.get("/v1/jobs?status=succeeded").await;
    assert!(listed["data"].as_array().unwrap().iter().any(|entry| entry["id"] == job["id"]));
    let deleted = service.client.delete(service.url(&path)).send().await.unwrap();
    assert_eq!(deleted.status(), 204);
    let gone = service.client.get(service.url(&path)).send().await.unwrap();
    assert_eq!(gone.status(), 410);
    let problem: Value = gone.json().await.unwrap();
    assert_eq!(problem["code"], "job_gone");
}

async fn a_canceled_job_ends_canceled_and_keeps_what_was_done(service: &Service) {
    let heavy = picture(Colour::Green, 1500, 1500, ImageFormat::Jpeg);
    let job = post_files(service, vec![heavy; 60]).await;
    let path = format!("/v1/jobs/{}/cancel", id(&job));
    let canceled = service.client.post(service.url(&path)).send().await.unwrap();
    assert_eq!(canceled.status(), 200, "{}", canceled.text().await.unwrap());
    let job = service.ended(id(&job)).await;
    assert_eq!(job["status"], "canceled");
    let items = &job["items"];
    assert!(items["canceled"].as_u64() > Some(0), "{items}");
    let results = job["results"].as_array().unwrap();
    assert_eq!(results.len(), 60);
    let done = results.iter().filter(|result| result["status"] == "succeeded").count();
    assert_eq!(Some(done as u64), items["succeeded"].as_u64());
    let again = service.client.post(service.url(&path)).send().await.unwrap();
    assert_eq!(again.status(), 200);
}

async fn events_end_with_the_finished_job(service: &Service) {
    let job = post_files(service, vec![jpeg(Colour::Red), jpeg(Colour::Blue)]).await;
    let path = format!("/v1/jobs/{}/events", id(&job));
    let stream = service.client.get(service.url(&path)).timeout(Duration::from_secs(60));
    let text = stream.send().await.unwrap().text().await.unwrap();
    let last = text.lines().rfind(|line| line.starts_with("data:")).expect("an event");
    let job: Value = serde_json::from_str(last.trim_start_matches("data:")).unwrap();
    assert_eq!(job["status"], "succeeded");
    assert!(text.lines().any(|line| line.starts_with("id:")), "{text}");
}

async fn a_job_of_a_thousand_images_is_answered_in_pages(service: &Service) {
    let bytes = picture(Colour::Green, 16, 16, ImageFormat::Png);
    let host = ImageHost::serve(HashMap::from([("/green.png", bytes)])).await;
    let images = vec![json!({"url": host.url("/green.png")}); 1_200];
    let job = post_json(service, &json!({"images": images, "top_k": 1, "priority": "bulk"})).await;
    let job = service.ended(id(&job)).await;
    assert_eq!(job["items"]["succeeded"], 1_200);
    assert_eq!(job["results"].as_array().unwrap().len(), 1_000);
    let rest = service.get(&format!("/v1/jobs/{}?results_from=1000", id(&job))).await;
    let rest = rest["results"].as_array().unwrap();
    assert_eq!(rest.len(), 200);
    assert_eq!(rest[199]["index"], 1_199);
}

async fn what_the_service_does_stands_in_its_metrics(service: &Service) {
    let job = post_files(service, vec![jpeg(Colour::Red)]).await;
    service.ended(id(&job)).await;
    let metrics = service.client.get(service.url("/metrics")).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for line in [
        "aisle_jobs_submitted_total{model=\"tiny\",source=\"upload\"} 1",
        "aisle_queue_depth{lane=\"tiny/normal\"} 0",
        "aisle_queue_live 0",
        "aisle_model_workers{model=\"tiny\"} 1",
        "aisle_store_up 1",
    ] {
        assert!(metrics.lines().any(|shown| shown == line), "{line}\n{metrics}");
    }
    assert!(metrics.contains("aisle_http_request_duration_seconds_bucket"), "{metrics}");
}
