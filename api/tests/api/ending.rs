//! Canceling and deleting jobs.

use actix_web::http::StatusCode;
use actix_web::test::TestRequest;
use serde_json::json;

use crate::rig::{Rig, classified, get, send, submit};

fn cancel(job: &str) -> TestRequest {
    TestRequest::post().uri(&format!("{job}/cancel"))
}

fn delete(job: &str) -> TestRequest {
    TestRequest::delete().uri(job)
}

#[actix_web::test]
async fn a_waiting_job_is_canceled_at_once_and_its_bytes_are_removed() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let job = submit(&app, 2).await;
    assert_eq!(rig.stored_images(), 2);

    let answer = send(&app, cancel(&job)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["status"], "canceled");
    assert_eq!(answer.json()["items"]["canceled"], 2);
    assert_eq!(answer.json()["results"][1]["status"], "canceled");
    assert_eq!(rig.stored_images(), 0);

    let again = send(&app, cancel(&job)).await;
    assert_eq!((again.status, again.json()), (StatusCode::OK, answer.json()));
}

#[actix_web::test]
async fn a_running_job_is_canceled_as_soon_as_its_images_have_ended() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let job = submit(&app, 2).await;
    let claimed = rig.claim(1).await;
    let answer = send(&app, cancel(&job)).await;
    assert_eq!(answer.json()["status"], "processing");
    assert_eq!(answer.json()["cancel_requested"], true);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(rig.stored_images(), 1, "the running image keeps its bytes");
    rig.end(claimed, classified).await;
    assert_eq!(get(&app, &job).await.json()["status"], "canceled");
}

#[actix_web::test]
async fn a_job_that_has_ended_cannot_be_canceled() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let job = submit(&app, 1).await;
    rig.work(classified).await;
    let answer = send(&app, cancel(&job)).await;
    assert_eq!(answer.problem(), (409, "job_already_ended".to_owned()));
    assert_eq!(get(&app, &job).await.json()["status"], "succeeded");
}

#[actix_web::test]
async fn a_deleted_job_is_gone_with_its_bytes_and_results() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let (waiting, ended) = (submit(&app, 2).await, submit(&app, 1).await);
    for job in [&waiting, &ended] {
        let answer = send(&app, delete(job)).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        assert!(answer.body.is_empty());
        let gone = (410, "job_gone".to_owned());
        assert_eq!(get(&app, job).await.problem(), gone);
        assert_eq!(send(&app, delete(job)).await.problem(), gone);
        assert_eq!(send(&app, cancel(job)).await.problem(), gone);
    }
    assert_eq!(rig.stored_images(), 0);
    assert_eq!(get(&app, "/v1/jobs").await.json()["data"], json!([]));
    assert_eq!(rig.claim(10).await, []);
}

#[actix_web::test]
async fn a_job_that_never_was_can_neither_be_canceled_nor_deleted() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let job = "/v1/jobs/019a3c5e-7b1f-7c3a-9d52-1f0e6a8b4c2d";
    let missing = (404, "job_not_found".to_owned());
    assert_eq!(send(&app, cancel(job)).await.problem(), missing);
    assert_eq!(send(&app, delete(job)).await.problem(), missing);
}
