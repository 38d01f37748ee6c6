//! What probes are told while the store does not answer, that a process
//! outlives its log, and that it keeps its memory together.

use std::time::Duration;

use aisle_tests::harness::Backend;
use aisle_tests::pictures::{Colour, picture};
use aisle_tests::places::free_port;
use aisle_tests::service::{Processes, Service};
use aisle_tests::wait;
use image::ImageFormat;
use serde_json::Value;

const LIVENESS: Duration = Duration::from_secs(5);

/// With the C library's own eight arenas for each processor a process slowly
/// grows as its threads come and go.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_keeps_as_many_arenas_as_processors() {
    let service = Service::tiny(Backend::Redis, Processes::Apart, &[]).await;
    let processors = std::thread::available_parallelism().unwrap().get().max(2);
    let wanted = format!("MALLOC_ARENA_MAX={processors}");
    for process in ["api", "worker"] {
        let environment = format!("/proc/{}/environ", service.process(process));
        let environment = std::fs::read(environment).unwrap();
        let mut variables = environment.split(|byte| *byte == 0);
        assert!(variables.any(|variable| variable == wanted.as_bytes()), "{process}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_store_is_frozen_is_told_from_one_that_works() {
    let watched = format!("127.0.0.1:{}", free_port());
    let seconds = LIVENESS.as_secs().to_string();
    let settings =
        [("AISLE_ADMIN_LISTEN", watched.as_str()), ("AISLE_LIVENESS_SECONDS", seconds.as_str())];
    let mut service = Service::tiny(Backend::Redis, Processes::Apart, &settings).await;
    let base = format!("http://{watched}/");
    let client = service.client.clone();
    let status = |path: &'static str| {
        let request = client.get(format!("{base}{path}")).send();
        async move { request.await.map(|answer| answer.status().as_u16()).unwrap_or_default() }
    };
    let until = |path: &'static str, wanted: u16| {
        let status = &status;
        wait::until("another answer of the probe", move || async move {
            (status(path).await == wanted).then_some(())
        })
    };
    until("health/ready", 200).await;
    until("health/live", 200).await;

    service.redis().freeze().expect("a frozen server");
    let frozen = std::time::Instant::now();
    until("health/ready", 503).await;
    until("health/live", 503).await;
    // The last claim may be a second older than the frost.
    assert!(frozen.elapsed() + Duration::from_secs(2) > LIVENESS, "{:?}", frozen.elapsed());
    let metrics = client.get(format!("{base}metrics")).send().await.unwrap().text().await.unwrap();
    assert!(metrics.lines().any(|line| line == "aisle_store_up 0"), "{metrics}");

    service.redis().thaw().expect("a server again");
    until("health/live", 200).await;
    until("health/ready", 200).await;
    let metrics = client.get(format!("{base}metrics")).send().await.unwrap().text().await.unwrap();
    for line in ["aisle_store_up 1", "aisle_model_workers{model=\"tiny\"} 1"] {
        assert!(metrics.lines().any(|shown| shown == line), "{line}\n{metrics}");
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_written_stops_nobody() {
    let mut service = Service::in_folder(Backend::Sqlite, &[]).await;
    service.spawn_without_log("serve");
    service.wait_until_ready().await;
    let picture = picture(Colour::Red, 32, 32, ImageFormat::Png);
    let request = service.client.post(service.url("/v1/jobs")).header("content-type", "image/png");
    let job: Value = request.body(picture).send().await.unwrap().json().await.unwrap();
    let job = service.ended(job["id"].as_str().expect("an id")).await;
    assert_eq!(job["status"], "succeeded", "{job}");
    service.stop("serve").await;
}
