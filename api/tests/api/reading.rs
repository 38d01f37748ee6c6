//! Reading one job: states, results, entity tags, long polls, retention.

use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::test::TestRequest;
use serde_json::json;

use crate::rig::{Rig, classified, failed, get, send, submit, submit_urls};

#[actix_web::test]
async fn a_job_shows_each_image_as_it_ends() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let job = submit(&app, 3).await;
    assert_eq!(get(&app, &job).await.json()["started_at"], json!(null));

    let mut claimed = rig.claim(3).await;
    let last = claimed.split_off(2);
    rig.end(claimed, |index| if index == 0 { classified(index) } else { failed(index) }).await;
    let answer = get(&app, &job).await;
    let seen = answer.json();
    assert_eq!(seen["status"], "processing");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(
        seen["items"],
        json!({"total": 3, "succeeded": 1, "failed": 1, "canceled": 0, "cached": 0})
    );
    assert_eq!(seen["results"][0]["status"], "succeeded");
    assert_eq!(seen["results"][1]["error"]["code"], "truncated");
    assert_eq!(seen["results"].as_array().unwrap().len(), 2);

    rig.end(last, classified).await;
    let answer = get(&app, &job).await;
    assert_eq!(answer.json()["status"], "partial");
    assert_eq!(answer.header("retry-after"), None);
    assert!(answer.json()["expires_at"].is_string());
}

#[actix_web::test]
async fn an_unchanged_job_is_not_sent_again() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let job = submit(&app, 1).await;
    let tag = get(&app, &job).await.header("etag").unwrap().to_owned();
    let again = || TestRequest::get().uri(&job).insert_header(("if-none-match", tag.clone()));

    let answer = send(&app, again()).await;
    assert_eq!(answer.status, StatusCode::NOT_MODIFIED);
    assert!(answer.body.is_empty());
    assert_eq!(answer.header("etag"), Some(tag.as_str()));

    rig.work(classified).await;
    let answer = send(&app, again()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_ne!(answer.header("etag"), Some(tag.as_str()));
}

#[actix_web::test]
async fn long_polls_are_woken_by_the_last_result() {
    const ROUNDS: u32 = 8;
    let rig = Rig::new().await;
    let app = rig.app().await;
    let started = Instant::now();
    for _ in 0..ROUNDS {
        let job = submit(&app, 1).await;
        let claimed = rig.claim(1).await;
        let poll = TestRequest::get().uri(&job).insert_header(("prefer", "wait=30"));
        let (answer, _) = tokio::join!(send(&app, poll), rig.end(claimed, classified));
        assert_eq!(answer.json()["status"], "succeeded");
        assert_eq!(answer.header("preference-applied"), Some("wait=30"));
    }
    // Unwoken, each would sleep for a second before it looks again.
    assert!(started.elapsed() < Duration::from_secs(1) * ROUNDS / 2, "{:?}", started.elapsed());
}

#[actix_web::test]
async fn a_long_poll_with_an_entity_tag_is_woken_by_any_change() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let job = submit(&app, 2).await;
    let mut claimed = rig.claim(2).await;
    let tag = get(&app, &job).await.header("etag").unwrap().to_owned();
    let poll = TestRequest::get()
        .uri(&job)
        .insert_header(("prefer", "wait=30"))
        .insert_header(("if-none-match", tag));
    let first = vec![claimed.remove(0)];
    let (answer, _) = tokio::join!(send(&app, poll), rig.end(first, classified));
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["status"], "processing");
    assert_eq!(answer.json()["items"]["succeeded"], 1);
}

#[actix_web::test]
async fn a_long_poll_ends_when_the_service_stops() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let job = submit(&app, 1).await;
    let poll = TestRequest::get().uri(&job).insert_header(("prefer", "wait=60"));
    let stop = async { rig.shutdown.cancel() };
    let (answer, ()) = tokio::join!(send(&app, poll), stop);
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["status"], "queued");
}

#[actix_web::test]
async fn the_results_of_a_large_job_come_in_parts() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let job = submit_urls(&app, 30).await;
    rig.work(classified).await;
    let part = get(&app, &format!("{job}?results_from=10&results_limit=5")).await.json();
    let places: Vec<_> = part["results"].as_array().unwrap().iter().map(|r| &r["index"]).collect();
    assert_eq!(json!(places), json!([10, 11, 12, 13, 14]));
    assert_eq!(part["next_results"], 15);
    let rest = get(&app, &format!("{job}?results_from=15")).await.json();
    assert_eq!(rest["results"].as_array().unwrap().len(), 15);
    assert_eq!(rest["next_results"], json!(null));
}

#[actix_web::test]
async fn a_job_past_its_retention_is_gone() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let job = submit(&app, 1).await;
    rig.work(classified).await;
    rig.clock.advance(rig.state.settings.retention + Duration::from_secs(1));
    rig.state.store.sweep(100).await.unwrap();
    assert_eq!(get(&app, &job).await.problem(), (410, "job_gone".to_owned()));
    let events = get(&app, &format!("{job}/events")).await;
    assert_eq!(events.problem(), (410, "job_gone".to_owned()));
}

#[actix_web::test]
async fn an_id_that_names_no_job_is_not_found() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    for id in ["019a3c5e-7b1f-7c3a-9d52-1f0e6a8b4c2d", "x", "%00", "..%2f.."] {
        let answer = get(&app, &format!("/v1/jobs/{id}")).await;
        assert_eq!(answer.problem(), (404, "job_not_found".to_owned()), "{id}");
    }
}
