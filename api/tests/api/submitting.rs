//! Every way to hand photographs in.

use actix_web::http::StatusCode;
use actix_web::test::TestRequest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::rig::{LABELS, MODEL, Rig, classified, form, get, png, send};

#[actix_web::test]
async fn a_form_with_several_files_is_one_job_in_the_order_of_its_parts() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let png = png();
    let answer = send(
        &app,
        form(&[
            ("image", Some("a.png"), &png),
            ("top_k", None, b"3"),
            ("url", None, b"https://shop.example.com/b.jpg"),
            ("priority", None, b"bulk"),
            ("metadata", None, br#"{"sku":"A-1","ask":[1,2]}"#),
            ("image", Some("../../c.png"), &png),
        ]),
    )
    .await;

    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let job = answer.json();
    assert_eq!(job["status"], "queued");
    assert_eq!(job["model"], MODEL);
    assert_eq!(job["top_k"], 3);
    assert_eq!(job["priority"], "bulk");
    assert_eq!(job["metadata"], json!({"sku": "A-1", "ask": [1, 2]}));
    assert_eq!(
        job["items"],
        json!({"total": 3, "succeeded": 0, "failed": 0, "canceled": 0, "cached": 0})
    );
    assert_eq!(answer.header("location"), job["urls"]["self"].as_str());
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(rig.stored_images(), 2);

    let claimed = rig.claim(10).await;
    let urls: Vec<_> = claimed.iter().map(|item| format!("{:?}", item.source)).collect();
    assert!(urls[1].contains("b.jpg"), "{urls:?}");
}

#[actix_web::test]
async fn the_bytes_that_a_worker_finds_are_those_that_were_sent() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let png = png();
    let raw = TestRequest::post()
        .uri("/v1/jobs?top_k=2&metadata=%7B%22a%22%3A1%7D")
        .insert_header(("content-type", "image/jpeg"))
        .set_payload(png.clone());
    let base64 = TestRequest::post()
        .uri("/v1/jobs?top_k=2")
        .set_json(json!({"images": [{"base64": STANDARD.encode(&png)}], "metadata": {"a": 1}}));
    let file = form(&[
        ("image", Some("a.png"), &png),
        ("top_k", None, b"2"),
        ("metadata", None, br#"{"a":1}"#),
    ]);
    for request in [raw, base64, file] {
        let answer = send(&app, request).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        assert_eq!(answer.json()["top_k"], 2);
        assert_eq!(answer.json()["metadata"], json!({"a": 1}));
        let item = rig.claim(1).await.remove(0).lease.item;
        let bytes = rig.state.blobs.get(item).await.unwrap().unwrap();
        assert_eq!(bytes, png);
    }
}

#[actix_web::test]
async fn what_is_left_open_gets_a_default() {
    let rig = Rig::new().await;
    rig.announce(&["zebra", MODEL]).await;
    let app = rig.app().await;
    let blank: [(&str, Option<&str>, &[u8]); 6] = [
        ("image", Some("a.png"), &png()),
        ("image", Some(""), b""),
        ("url", None, b""),
        ("model", None, b""),
        ("top_k", None, b""),
        ("metadata", None, b""),
    ];
    let job = send(&app, form(&blank)).await.json();
    assert_eq!(job["model"], MODEL);
    assert_eq!(job["top_k"], 5);
    assert_eq!(job["priority"], "normal");
    assert_eq!(job["metadata"], json!({}));
    assert_eq!(job["items"]["total"], 1);
}

#[actix_web::test]
async fn a_model_can_be_named_as_soon_as_it_is_announced() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    send(&app, form(&[("image", Some("a.png"), &png())])).await.json();
    rig.announce(&["newcomer"]).await;
    let named: [(&str, Option<&str>, &[u8]); 2] =
        [("image", Some("a.png"), &png()), ("model", None, b"newcomer")];
    let job = send(&app, form(&named)).await.json();
    assert_eq!(job["model"], "newcomer");
}

#[actix_web::test]
async fn the_configured_default_model_comes_before_the_first_by_name() {
    let rig = Rig::with(|settings| settings.default_model = "zebra".parse().ok()).await;
    rig.announce(&["ant", "zebra"]).await;
    let app = rig.app().await;
    let job = send(&app, form(&[("image", Some("a.png"), &png())])).await.json();
    assert_eq!(job["model"], "zebra");
    let models = get(&app, "/v1/models").await.json();
    assert_eq!(models["data"][0]["default"], false);
}

#[actix_web::test]
async fn a_caller_that_waits_gets_the_result_with_the_answer() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let request = form(&[("image", Some("a.png"), &png())])
        .insert_header(("prefer", "respond-async, wait=10"));
    let work = async {
        while rig.work(classified).await == 0 {
            tokio::task::yield_now().await;
        }
    };
    let (answer, ()) = tokio::join!(send(&app, request), work);

    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.header("preference-applied"), Some("wait=10"));
    assert_eq!(answer.header("retry-after"), None);
    let job = answer.json();
    assert_eq!(job["status"], "succeeded");
    assert_eq!(job["results"][0]["predictions"][0]["label"], "rose");
    assert_eq!(job["results"][0]["model_version"], "flowers-v1");
    assert_eq!(job["results"][0]["image"]["media_type"], "image/png");
}

#[actix_web::test]
async fn a_wait_that_is_over_too_early_ends_in_a_job_to_come_back_to() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let request = form(&[("image", Some("a.png"), &png())]).insert_header(("prefer", "wait=1"));
    let answer = send(&app, request).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.header("preference-applied"), None);
    assert_eq!(answer.json()["status"], "queued");
}

#[actix_web::test]
async fn a_caller_that_prefers_no_wait_is_told_that_it_got_none() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let request =
        form(&[("image", Some("a.png"), &png())]).insert_header(("prefer", "respond-async"));
    let answer = send(&app, request).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.header("preference-applied"), Some("respond-async"));
}

#[actix_web::test]
async fn a_bad_image_among_several_is_accepted_to_fail_alone() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let answer = send(
        &app,
        form(&[
            ("image", Some("a.txt"), b"no image"),
            ("url", None, b"http://127.0.0.1/"),
            ("image", Some("a.png"), &png()),
        ]),
    )
    .await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    assert_eq!(answer.json()["items"]["total"], 3);
}

#[actix_web::test]
async fn a_job_of_more_images_than_one_step_takes_is_whole() {
    let rig = Rig::new().await;
    let app = rig.app().await;
    let url = json!({"url": "https://shop.example.com/a.jpg"});
    let body = json!({"images": vec![url; 450], "top_k": LABELS});
    let answer = send(&app, TestRequest::post().uri("/v1/jobs").set_json(body)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    assert_eq!(answer.json()["items"]["total"], 450);
    let mut worked = 0;
    while worked < 450 {
        worked += rig.work(classified).await;
    }
    let job = get(&app, answer.header("location").unwrap()).await.json();
    assert_eq!(job["status"], "succeeded");
    assert_eq!(job["results"].as_array().unwrap().len(), 450);
}
