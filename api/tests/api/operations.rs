//! Models, health, metrics, the document, Swagger UI, and the headers on all
//! of them.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::test::TestRequest;
use aisle_api::ApiSettings;
use aisle_shared::telemetry::metrics_recorder;
use aisle_shared::vitals::{Hindrance, Patience, Vitals};
use serde_json::json;

use crate::rig::{LABELS, MODEL, Rig, get, send, submit};

const LONG: Duration = Duration::from_secs(3600);

#[actix_web::test]
async fn models_are_listed_and_shown_with_their_labels() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let list = get(&app, "/v1/models").await.json();
    let summary = &list["data"][0];
    assert_eq!(summary["name"], MODEL);
    assert_eq!(summary["default"], true);
    assert_eq!(summary["live_workers"], 1);
    assert_eq!(summary["label_count"], LABELS);
    assert_eq!(summary["input_size"], json!({"height": 224, "width": 224}));
    assert!(summary.get("labels").is_none());

    let model = get(&app, "/v1/models/flowers").await.json();
    assert_eq!(model["version"], "flowers-v1");
    assert_eq!(model["activation"], "softmax");
    assert_eq!(model["labels"][6], "label 6");
    let missing = get(&app, "/v1/models/tulips").await;
    assert_eq!(missing.problem(), (404, "model_not_found".to_owned()));
}

#[actix_web::test]
async fn health_asks_after_the_worker_only_where_the_process_has_one() {
    let alone = Rig::bare(ApiSettings::default(), 10);
    let app = alone.app().await;
    assert_eq!(get(&app, "/health/live").await.json(), json!({"status": "ok"}));
    assert_eq!(get(&app, "/health/ready").await.status, StatusCode::OK);

    let mut rig = Rig::new().await;
    let vitals = Vitals::new(Patience { claim: LONG, work: Duration::ZERO }, Hindrance::default());
    let lane = vitals.lane(MODEL.parse().unwrap());
    rig.state.worker = Some(vitals.clone());
    let app = rig.app().await;
    let answer = get(&app, "/health/ready").await;
    assert_eq!(answer.problem(), (503, "not_ready".to_owned()));
    assert!(answer.header("retry-after").is_some());
    vitals.announced();
    assert_eq!(get(&app, "/health/ready").await.status, StatusCode::OK);

    let batch = lane.runs();
    assert_eq!(get(&app, "/health/ready").await.problem(), (503, "not_ready".to_owned()));
    assert_eq!(get(&app, "/health/live").await.problem(), (503, "not_alive".to_owned()));
    drop(batch);
    assert_eq!(get(&app, "/health/live").await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_service_that_stops_is_alive_but_not_ready() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    rig.shutdown.cancel();
    assert_eq!(get(&app, "/health/live").await.status, StatusCode::OK);
    assert_eq!(get(&app, "/health/ready").await.problem(), (503, "not_ready".to_owned()));
}

#[actix_web::test]
async fn a_job_keeps_its_submitters_place_in_a_trace() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let place = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = TestRequest::post()
        .uri("/v1/jobs")
        .insert_header(("traceparent", place))
        .set_json(json!({"images": [{"url": "https://shop.example/1.jpg"}]}));
    assert_eq!(send(&app, request).await.status, StatusCode::ACCEPTED);
    let claimed = rig.claim(1).await;
    assert_eq!(claimed[0].trace, Some(place.parse().unwrap()));
}

#[actix_web::test]
async fn metrics_are_what_the_process_renders() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    submit(&app, 1).await;
    let answer = get(&app, "/metrics").await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(answer.body, "aisle_up 1\n");
}

#[actix_web::test]
async fn metrics_tell_of_requests_jobs_and_what_the_store_holds() {
    let mut rig = Rig::new().await;
    let (recorder, handle) = metrics_recorder().unwrap();
    rig.state.metrics = Arc::new(move || handle.render());
    let _kept = metrics::set_default_local_recorder(&recorder);
    let app = rig.app().await;
    submit(&app, 1).await;
    let answer = get(&app, "/metrics").await;
    let text = String::from_utf8_lossy(&answer.body);
    for line in [
        r#"aisle_http_request_duration_seconds_count{method="POST",route="/v1/jobs",status="202"} 1"#,
        r#"aisle_jobs_submitted_total{model="flowers",source="upload"} 1"#,
        r#"aisle_queue_depth{lane="flowers/normal"} 1"#,
        r#"aisle_queue_depth{lane="flowers/bulk"} 0"#,
        r#"aisle_model_workers{model="flowers"} 1"#,
        "aisle_queue_running 0",
        "aisle_backlog_without_capacity 0",
        "aisle_store_up 1",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
}

#[actix_web::test]
async fn the_document_and_swagger_ui_are_served() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let document = get(&app, "/openapi.json").await;
    assert_eq!(document.body, aisle_api::document());
    for uri in ["/", "/docs"] {
        assert_eq!(get(&app, uri).await.header("location"), Some("/docs/"), "{uri}");
    }
    let page = get(&app, "/docs/").await;
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    assert!(page.header("content-security-policy").unwrap().contains("script-src 'self'"));
    let script = get(&app, "/docs/swagger-initializer.js").await;
    assert!(String::from_utf8_lossy(&script.body).contains("/openapi.json"));
    assert_eq!(get(&app, "/docs/nothing").await.problem(), (404, "route_not_found".to_owned()));
}

#[actix_web::test]
async fn every_answer_carries_safe_headers_and_the_callers_request_id() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    for uri in ["/v1/jobs", "/v1/models", "/nothing", "/health/live"] {
        let request = TestRequest::get().uri(uri).insert_header(("x-request-id", "shop-42"));
        let answer = send(&app, request).await;
        assert_eq!(answer.header("x-request-id"), Some("shop-42"), "{uri}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let policy = answer.header("content-security-policy");
        assert_eq!(policy, Some("default-src 'none'; frame-ancestors 'none'"));
    }
}
