//! What is refused, and how.

use actix_web::http::StatusCode;
use actix_web::test::TestRequest;
use aisle_api::ApiSettings;
use serde_json::json;

use crate::rig::{LABELS, MODEL, Rig, eventually, form, png, send, submit_urls};

fn raw(bytes: impl Into<Vec<u8>>) -> TestRequest {
    TestRequest::post()
        .uri("/v1/jobs")
        .insert_header(("content-type", "image/jpeg"))
        .set_payload(bytes.into())
}

fn json_body(body: &str) -> TestRequest {
    TestRequest::post()
        .uri("/v1/jobs")
        .insert_header(("content-type", "application/json"))
        .set_payload(body.to_owned())
}

#[actix_web::test]
async fn a_job_of_one_image_that_cannot_be_classified_is_refused_and_leaves_nothing() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let cut = |length: usize| png()[..length].to_vec();
    let giant = {
        let mut png = png();
        png[16..24].copy_from_slice(&[0, 0, 0x27, 0x10, 0, 0, 0x27, 0x10]);
        let checksum = crc32(&png[12..29]);
        png[29..33].copy_from_slice(&checksum.to_be_bytes());
        png
    };
    let empty = form(&[("image", Some("a.png"), b"")]);
    for (request, status, code) in [
        (raw(""), 400, "empty_image"),
        (empty, 400, "empty_image"),
        (raw("<svg xmlns='http://www.w3.org/2000/svg'/>"), 415, "unsupported_type"),
        (raw(cut(20)), 422, "truncated"),
        (raw(giant), 413, "too_many_pixels"),
        (json_body(r#"{"images":[{"base64":"AAAA"}]}"#), 415, "unsupported_type"),
    ] {
        let answer = send(&app, request).await;
        assert_eq!(answer.problem(), (status, code.to_owned()), "{answer:?}");
    }
    eventually("refused bytes are removed", || rig.stored_images() == 0).await;
    assert_eq!(rig.claim(10).await, []);
}

/// CRC-32 as PNG has it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    })
}

#[actix_web::test]
async fn a_url_that_may_not_be_fetched_is_refused() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    for url in [
        "http://127.0.0.1/a.jpg",
        "http://169.254.169.254/latest/meta-data",
        "http://localhost/a.jpg",
        "http://[::ffff:10.0.0.1]/a.jpg",
        "ftp://shop.example.com/a.jpg",
        "data:image/png;base64,AAAA",
        "no url",
    ] {
        let answer = send(&app, json_body(&json!({"images": [{"url": url}]}).to_string())).await;
        assert_eq!(answer.problem(), (422, "url_not_allowed".to_owned()), "{url}");
    }
}

#[actix_web::test]
async fn a_body_that_is_not_as_described_is_refused_with_its_wrong_place() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let long = format!(r#"{{"images":[{{"url":"https://a.example/{}"}}]}}"#, "a".repeat(2_048));
    for (body, pointer) in [
        ("{", "#"),
        ("[]", "#"),
        (r#"{"images":[{"base64":"AA A="},{"url":"https://a.example/"}]}"#, "#/images/0/base64"),
        (
            r#"{"images":[{"url":"https://a.example/"},{"base64":"data:image/png;base64,AAAA"}]}"#,
            "#/images/1/base64",
        ),
        (r#"{"images":[{"url":"https://a.example/","x":1}]}"#, "#/images/0"),
        (r#"{"images":[],"webhok":1}"#, "#/webhok"),
        (r#"{"images":[],"priority":"urgent"}"#, "#/priority"),
        (&long, "#/images/0/url"),
    ] {
        let answer = send(&app, json_body(body)).await;
        assert_eq!(answer.problem(), (400, "invalid_request".to_owned()), "{body}");
        let place = answer.json()["errors"][0]["pointer"].as_str().unwrap().to_owned();
        assert!(place.starts_with(pointer), "{body}: {place}");
    }
}

#[actix_web::test]
async fn a_form_that_is_not_as_described_is_refused_and_leaves_nothing() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let png = png();
    let image: (&str, Option<&str>, &[u8]) = ("image", Some("a.png"), &png);
    for parts in [
        vec![image, ("picture", None, b"x")],
        vec![image, ("top_k", None, b"three")],
        vec![image, ("top_k", None, b"3"), ("top_k", None, b"3")],
        vec![image, ("priority", None, b"urgent")],
        vec![image, ("model", None, b"../x")],
        vec![image, ("model", None, b"\xff")],
        vec![image, ("metadata", None, b"[]")],
        vec![image, ("", None, b"x")],
    ] {
        let answer = send(&app, form(&parts)).await;
        assert_eq!(answer.problem(), (400, "invalid_request".to_owned()), "{parts:?}");
    }
    let cut = TestRequest::post()
        .uri("/v1/jobs")
        .insert_header(("content-type", "multipart/form-data; boundary=frontier"))
        .set_payload("--frontier\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\nabc");
    assert_eq!(send(&app, cut).await.problem(), (400, "invalid_request".to_owned()));
    eventually("refused bytes are removed", || rig.stored_images() == 0).await;
}

#[actix_web::test]
async fn a_job_without_images_is_refused() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let no_images = (400, "no_images".to_owned());
    assert_eq!(send(&app, json_body(r#"{"images":[]}"#)).await.problem(), no_images);
    assert_eq!(send(&app, form(&[])).await.problem(), no_images);
    assert_eq!(send(&app, form(&[("top_k", None, b"3")])).await.problem(), no_images);
}

#[actix_web::test]
async fn a_body_of_another_kind_is_refused() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    for (name, value) in [
        ("content-type", "text/html"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("x-nothing", "x"),
    ] {
        let request = TestRequest::post().uri("/v1/jobs").insert_header((name, value));
        let answer = send(&app, request.set_payload("x")).await;
        assert_eq!(answer.problem(), (415, "unsupported_media_type".to_owned()));
    }
    let gzipped = raw(png()).insert_header(("content-encoding", "gzip"));
    assert_eq!(send(&app, gzipped).await.problem().1, "unsupported_media_type");
}

#[actix_web::test]
async fn too_many_or_too_large_images_are_refused_and_leave_nothing() {
    let rig = Rig::with(|settings| {
        settings.max_files = 2;
        settings.max_items = 3;
        settings.image_limits.max_bytes = 1_000;
        settings.max_upload_bytes = 4_000;
        settings.max_json_bytes = 2_000;
    })
    .await;
    let app = rig.app().await;
    let small = png();
    let image: (&str, Option<&str>, &[u8]) = ("image", Some("a.png"), &small);
    let large = vec![0; 1_001];
    let url: (&str, Option<&str>, &[u8]) = ("url", None, b"https://shop.example.com/a.jpg");
    for (request, code) in [
        (form(&[image, image, image]), "too_many_images"),
        (form(&[image, url, url, url]), "too_many_images"),
        (form(&[image, ("image", Some("b.png"), &large)]), "too_large"),
        (form(&vec![image; 40]).insert_header(("content-length", "4001")), "body_too_large"),
        (raw(large.clone()), "too_large"),
        (json_body(&" ".repeat(2_001)), "body_too_large"),
    ] {
        assert_eq!(send(&app, request).await.problem(), (413, code.to_owned()));
    }
    eventually("refused bytes are removed", || rig.stored_images() == 0).await;
}

#[actix_web::test]
async fn a_model_or_top_k_that_cannot_be_had_is_refused_with_what_can() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let image = json!({"url": "https://shop.example.com/a.jpg"});
    let body = json!({"images": [image], "model": "tulips"}).to_string();
    let answer = send(&app, json_body(&body)).await;
    assert_eq!(answer.problem(), (422, "unknown_model".to_owned()));
    assert!(answer.json()["detail"].as_str().unwrap().contains(MODEL));
    for top_k in [0, LABELS + 1] {
        let body = json!({"images": [image], "top_k": top_k}).to_string();
        let answer = send(&app, json_body(&body)).await;
        assert_eq!(answer.problem(), (422, "invalid_top_k".to_owned()));
    }
    let twice = json_body(&json!({"images": [image], "top_k": 2}).to_string());
    let answer = send(&app, twice.uri("/v1/jobs?top_k=2")).await;
    assert_eq!(answer.problem(), (400, "invalid_query".to_owned()));
}

#[actix_web::test]
async fn without_a_model_or_room_in_the_queue_callers_are_told_to_come_back() {
    let rig = Rig::bare(ApiSettings::default(), 3);
    let app = rig.app().await;
    let answer = send(&app, raw(png())).await;
    assert_eq!(answer.problem(), (503, "no_model".to_owned()));
    assert!(answer.header("retry-after").is_some());

    rig.announce(&[MODEL]).await;
    submit_urls(&app, 3).await;
    let answer = send(&app, raw(png())).await;
    assert_eq!(answer.problem(), (429, "queue_full".to_owned()));
    assert_eq!(answer.json()["scope"], "service");
    assert!(answer.header("retry-after").is_some());
    eventually("refused bytes are removed", || rig.stored_images() == 0).await;
}

#[actix_web::test]
async fn an_unknown_address_and_a_wrong_method_are_problems_too() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let lost = send(&app, TestRequest::get().uri("/v2/jobs")).await;
    assert_eq!(lost.problem(), (404, "route_not_found".to_owned()));
    assert_eq!(lost.json()["instance"], "/v2/jobs");
    for (request, allow) in [
        (TestRequest::put().uri("/v1/jobs"), "GET, HEAD, POST"),
        (TestRequest::patch().uri("/v1/jobs/x"), "GET, HEAD, DELETE"),
        (TestRequest::get().uri("/v1/jobs/x/cancel"), "POST"),
        (TestRequest::post().uri("/health/live"), "GET, HEAD"),
    ] {
        let answer = send(&app, request).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.problem().1, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some(allow));
    }
}
