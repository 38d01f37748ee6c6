//! Processes that die, and what their death may cost: time, nothing else.

use aisle_tests::harness::Backend;
use aisle_tests::pictures::{Colour, picture};
use aisle_tests::service::{Processes, Service};
use aisle_tests::wait;
use image::ImageFormat;
use reqwest::multipart::{Form, Part};
use serde_json::Value;

const ITEMS: u64 = 500;

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_in_the_middle_loses_nothing_over_sqlite() {
    kill_the_worker_in_the_middle(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_in_the_middle_loses_nothing_over_redis() {
    kill_the_worker_in_the_middle(Backend::Redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_asked_to_stop_hands_its_work_over_on_sqlite() {
    stop_the_worker_in_the_middle(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_asked_to_stop_hands_its_work_over_on_redis() {
    stop_the_worker_in_the_middle(Backend::Redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_killed_in_the_middle_loses_nothing() {
    let mut service = service(Backend::Redis).await;
    let id = submit(&service).await;
    some_are_done(&service, &id).await;
    service.redis().kill().expect("a killed server");
    service.redis().restart().await.expect("a server again");
    every_item_ended_once(&service, &id).await;
}

async fn kill_the_worker_in_the_middle(backend: Backend) {
    let mut service = service(backend).await;
    let id = submit(&service).await;
    some_are_done(&service, &id).await;
    service.kill("worker");
    let left = progress(&service, &id).await;
    assert!(left < ITEMS, "the worker was through before it was killed");
    service.spawn("worker");
    every_item_ended_once(&service, &id).await;
}

async fn stop_the_worker_in_the_middle(backend: Backend) {
    let mut service = service(backend).await;
    let id = submit(&service).await;
    some_are_done(&service, &id).await;
    service.stop("worker").await;
    let left = progress(&service, &id).await;
    assert!(left < ITEMS, "the worker was through before it was stopped");
    service.spawn("worker");
    every_item_ended_once(&service, &id).await;
}

async fn service(backend: Backend) -> Service {
    Service::tiny(backend, Processes::Apart, &[]).await
}

/// Five hundred pictures that take a while to decode.
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

async fn progress(service: &Service, id: &str) -> u64 {
    let job = service.get(&format!("/v1/jobs/{id}?results_limit=1")).await;
    job["items"]["succeeded"].as_u64().expect("a count")
}

async fn some_are_done(service: &Service, id: &str) {
    wait::until("the first results", || async {
        (progress(service, id).await >= 20).then_some(())
    })
    .await;
}

async fn every_item_ended_once(service: &Service, id: &str) {
    let job = service.ended(id).await;
    assert_eq!(job["status"], "succeeded", "{}", job["items"]);
    // The counter grows with every recording, so a second one would show.
    assert_eq!(job["items"]["succeeded"], ITEMS);
    assert_eq!(job["items"]["failed"], 0);
    let results = job["results"].as_array().unwrap();
    assert_eq!(results.len() as u64, ITEMS);
    for (place, result) in results.iter().enumerate() {
        assert_eq!(result["index"], place);
        assert_eq!(result["predictions"][0]["label"], Colour::ALL[place % 3].label());
    }
}
