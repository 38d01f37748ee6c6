//! Following a job by server-sent events.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::Service;
use actix_web::http::StatusCode;
use actix_web::test::TestRequest;
use serde_json::Value;
use tokio::time::timeout;

use crate::rig::{Rig, classified, get, send, submit};

/// The next event's id and job; `None` at the end of the stream.
async fn next(body: &mut BoxBody) -> Option<(String, Value)> {
    let chunk = poll_fn(|cx| Pin::new(&mut *body).poll_next(cx));
    let chunk = timeout(Duration::from_secs(10), chunk).await.expect("an event in time")?;
    let text = String::from_utf8(chunk.unwrap().to_vec()).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("event: job"));
    let id = lines.next().unwrap().strip_prefix("id: ").unwrap().to_owned();
    let data = lines.next().unwrap().strip_prefix("data: ").unwrap();
    assert!(text.ends_with("\n\n"));
    Some((id, serde_json::from_str(data).unwrap()))
}

#[actix_web::test]
async fn a_follower_sees_the_job_as_it_stands_and_then_each_change_until_its_end() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let job = submit(&app, 1).await;
    let uri = format!("{job}/events");
    let response = app.call(TestRequest::get().uri(&uri).to_request()).await.unwrap();
    assert_eq!(response.headers().get("content-type").unwrap(), "text/event-stream");
    assert_eq!(response.headers().get("cache-control").unwrap(), "no-store");
    let mut body = response.into_body();

    let (first, seen) = next(&mut body).await.unwrap();
    assert_eq!(seen["status"], "queued");
    let claimed = rig.claim(1).await;
    let (second, seen) = next(&mut body).await.unwrap();
    assert_eq!(seen["status"], "processing");
    rig.end(claimed, classified).await;
    let (last, seen) = next(&mut body).await.unwrap();
    assert_eq!(seen["status"], "succeeded");
    assert_eq!(seen["results"][0]["predictions"][0]["label"], "rose");
    assert!(next(&mut body).await.is_none());
    assert!(first != second && second != last);
    assert_eq!(get(&app, &job).await.header("etag"), Some(format!("\"{last}\"").as_str()));
}

#[actix_web::test]
async fn a_follower_that_comes_back_is_not_told_again_what_it_knows() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let job = submit(&app, 1).await;
    let uri = format!("{job}/events");
    let response = app.call(TestRequest::get().uri(&uri).to_request()).await.unwrap();
    let (seen, _) = next(&mut response.into_body()).await.unwrap();

    let again = TestRequest::get().uri(&uri).insert_header(("last-event-id", seen));
    let mut body = app.call(again.to_request()).await.unwrap().into_body();
    let (event, _) = tokio::join!(next(&mut body), rig.work(classified));
    assert_ne!(event.unwrap().1["status"], "queued");
}

#[actix_web::test]
async fn a_follower_that_knows_the_end_is_told_to_stop() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let job = submit(&app, 1).await;
    rig.work(classified).await;
    let uri = format!("{job}/events");
    let response = app.call(TestRequest::get().uri(&uri).to_request()).await.unwrap();
    let mut body = response.into_body();
    let (last, _) = next(&mut body).await.unwrap();
    assert!(next(&mut body).await.is_none());
    let again = TestRequest::get().uri(&uri).insert_header(("last-event-id", last));
    assert_eq!(send(&app, again).await.status, StatusCode::NO_CONTENT);
}

#[actix_web::test]
async fn a_stream_ends_when_its_job_is_deleted_or_the_service_stops() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let follow = async |job: &str| {
        let request = TestRequest::get().uri(&format!("{job}/events")).to_request();
        let mut body = app.call(request).await.unwrap().into_body();
        next(&mut body).await.unwrap();
        body
    };
    let (deleted, kept) = (submit(&app, 1).await, submit(&app, 1).await);
    let mut body = follow(&deleted).await;
    send(&app, TestRequest::delete().uri(&deleted)).await;
    assert!(next(&mut body).await.is_none());

    let mut body = follow(&kept).await;
    rig.shutdown.cancel();
    assert!(next(&mut body).await.is_none());
}
