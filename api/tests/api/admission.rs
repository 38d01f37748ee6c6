//! Jobs refused before their body is read, and requests named by their caller.

use actix_web::http::StatusCode;
use actix_web::test::TestRequest;
use aisle_api::ApiSettings;
use aisle_shared::blob::FileBlobs;
use aisle_shared::disk::Reserve;
use aisle_shared::store::{Limits, StoreLimits, Switch};
use serde_json::json;

use crate::rig::{MODEL, Rig, classified, eventually, form, get, png, send, submit_urls};

const NONE: StoreLimits =
    StoreLimits { items: u64::MAX, tenant_items: u64::MAX, upload_bytes: u64::MAX };

fn raw() -> TestRequest {
    TestRequest::post()
        .uri("/v1/jobs")
        .insert_header(("content-type", "image/png"))
        .set_payload(png())
}

fn keyed(request: TestRequest, key: &str) -> TestRequest {
    request.insert_header(("idempotency-key", key))
}

/// A body that would be malformed, had anybody read it.
fn unread() -> TestRequest {
    TestRequest::post()
        .uri("/v1/jobs")
        .insert_header(("content-type", "application/json"))
        .set_payload("{")
}

/// The same two photographs as a form, between other boundaries each time.
fn bounded_by(boundary: &str, second: &[u8]) -> TestRequest {
    let mut body = Vec::new();
    for bytes in [&png()[..], second] {
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"image\"; \
             filename=\"{boundary}.png\"\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    TestRequest::post()
        .uri("/v1/jobs")
        .insert_header(("content-type", format!("multipart/form-data; boundary={boundary}")))
        .set_payload(body)
}

#[actix_web::test]
async fn a_request_sent_again_with_its_key_answers_with_the_same_job() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let key = "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"";
    let first = send(&app, keyed(bounded_by("one", &png()), key)).await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{first:?}");
    assert_eq!(first.header("idempotency-replayed"), None);
    assert_eq!(rig.stored_images(), 2);

    // Most clients send the bare characters.
    let again = send(&app, keyed(bounded_by("two", &png()), key.trim_matches('"'))).await;
    assert_eq!(again.status, StatusCode::ACCEPTED, "{again:?}");
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.json()["id"], first.json()["id"]);
    eventually("what was sent again is removed", || rig.stored_images() == 2).await;

    rig.work(classified).await;
    let ended = send(&app, keyed(bounded_by("three", &png()), key)).await;
    assert_eq!(
        (ended.status, ended.json()["status"].as_str()),
        (StatusCode::ACCEPTED, Some("succeeded"))
    );
    assert_eq!(rig.claim(10).await, []);
}

#[actix_web::test]
async fn a_key_for_another_content_is_refused_whatever_differs() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let urls = |top_k: Option<u32>, url: &str| {
        let mut body = json!({"images": [{"url": url}]});
        if let Some(top_k) = top_k {
            body["top_k"] = top_k.into();
        }
        keyed(TestRequest::post().uri("/v1/jobs").set_json(body), "k")
    };
    let url = "https://shop.example.com/a.jpg";
    assert_eq!(send(&app, urls(Some(2), url)).await.status, StatusCode::ACCEPTED);
    // The same choice in another place is the same request.
    let elsewhere = send(&app, urls(None, url).uri("/v1/jobs?top_k=2")).await;
    assert_eq!(elsewhere.header("idempotency-replayed"), Some("true"), "{elsewhere:?}");
    let form = form(&[("url", None, url.as_bytes()), ("top_k", None, b"2")]);
    assert_eq!(send(&app, keyed(form, "k")).await.header("idempotency-replayed"), Some("true"));
    for other in [
        urls(Some(3), url),
        urls(None, url),
        urls(Some(2), "https://shop.example.com/b.jpg"),
        keyed(raw(), "k"),
    ] {
        let refused = send(&app, other).await;
        assert_eq!(refused.problem(), (422, "idempotency_key_reused".to_owned()));
    }
    eventually("refused bytes are removed", || rig.stored_images() == 0).await;
    assert_eq!(rig.claim(10).await.len(), 1);
}

#[actix_web::test]
async fn a_key_that_is_none_is_refused_and_one_whose_job_is_gone_says_so() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    for key in ["\"\"", "a b", "\"a", &"x".repeat(256)] {
        let refused = send(&app, keyed(raw(), key)).await;
        assert_eq!(refused.problem(), (400, "invalid_idempotency_key".to_owned()), "{key}");
    }
    let twice = keyed(raw(), "a").append_header(("idempotency-key", "b"));
    assert_eq!(send(&app, twice).await.problem().1, "invalid_idempotency_key");
    let made = send(&app, keyed(raw(), "k")).await;
    let job = made.header("location").unwrap();
    assert!(send(&app, TestRequest::delete().uri(job)).await.status.is_success());
    let gone = send(&app, keyed(raw(), "k")).await;
    assert_eq!(gone.problem(), (410, "job_gone".to_owned()));
}

#[actix_web::test]
async fn a_caller_past_its_rate_is_told_when_to_come_back() {
    let rig = Rig::with(|settings| settings.rate_per_minute = 2).await;
    let app = rig.app().await;
    for (left, again) in [("r=1;t=30", false), ("r=0;t=60", true)] {
        // What the request asks for is looked at later, and counts all the same.
        let answer = send(&app, if again { unread() } else { raw() }).await;
        assert_ne!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.header("ratelimit-policy"), Some(r#""default";q=2;w=60"#));
        assert_eq!(answer.header("ratelimit"), Some(&*format!("\"default\";{left}")));
    }
    let refused = send(&app, unread()).await;
    assert_eq!(refused.problem(), (429, "rate_limited".to_owned()));
    assert_eq!(refused.header("ratelimit"), Some(r#""default";r=0;t=30"#));
    assert_eq!(refused.header("retry-after"), Some("30"));
    assert_eq!(refused.json()["violated-policies"], json!(["default"]));
    assert!(refused.json()["type"].as_str().unwrap().ends_with("#quota-exceeded"));
    // Reading is free.
    assert_eq!(get(&app, "/v1/jobs").await.header("ratelimit"), None);
    rig.clock.advance(std::time::Duration::from_secs(30));
    assert_eq!(send(&app, raw()).await.status, StatusCode::ACCEPTED);
}

#[actix_web::test]
async fn what_is_full_is_said_before_the_body_is_read() {
    let limits = StoreLimits { items: 9, tenant_items: 2, ..NONE };
    let rig = Rig::within(ApiSettings::default(), limits);
    rig.announce(&[MODEL]).await;
    let app = rig.app().await;
    submit_urls(&app, 2).await;
    // A yes counts for a moment; the store itself has the last word.
    let refused = send(&app, raw()).await;
    assert_eq!(refused.problem(), (429, "queue_full".to_owned()));
    let fresh = rig.app().await;
    let refused = send(&fresh, unread()).await;
    assert_eq!(refused.problem(), (429, "queue_full".to_owned()));
    assert_eq!(refused.json()["scope"], "tenant");
    assert_eq!(refused.header("retry-after"), Some("60"));
    rig.work(classified).await;
    assert_eq!(send(&fresh, raw()).await.status, StatusCode::ACCEPTED);
}

#[actix_web::test]
async fn bytes_that_wait_have_a_limit_of_their_own() {
    let limits = StoreLimits { upload_bytes: png().len() as u64, ..NONE };
    let rig = Rig::within(ApiSettings::default(), limits);
    rig.announce(&[MODEL]).await;
    let app = rig.app().await;
    assert_eq!(send(&app, raw()).await.status, StatusCode::ACCEPTED);
    let refused = send(&app, raw()).await;
    assert_eq!(refused.problem(), (503, "uploads_full".to_owned()));
    eventually("refused bytes are removed", || rig.stored_images() == 1).await;
    rig.work(classified).await;
    assert_eq!(send(&app, raw()).await.status, StatusCode::ACCEPTED);
}

#[actix_web::test]
async fn a_closed_intake_and_a_full_disk_are_said_before_the_body_is_read() {
    let rig = Rig::new().await;
    rig.store.set_switch(Switch::IntakeClosed, true).await.unwrap();
    let refused = send(&rig.app().await, unread()).await;
    assert_eq!(refused.problem(), (503, "intake_closed".to_owned()));
    assert!(refused.header("retry-after").is_some());
    rig.store.set_switch(Switch::IntakeClosed, false).await.unwrap();
    assert_eq!(send(&rig.app().await, raw()).await.status, StatusCode::ACCEPTED);

    let mut state = rig.state.clone();
    let folder = tempfile::tempdir().unwrap();
    let crowded = FileBlobs::open(folder.path()).unwrap().leaving(Reserve::of_bytes(u64::MAX));
    state.blobs = std::sync::Arc::new(crowded);
    let app = rig.app_over(state).await;
    let refused = send(&app, unread()).await;
    assert_eq!(refused.problem(), (503, "store_full".to_owned()));
    assert!(refused.header("retry-after").is_some());
}
