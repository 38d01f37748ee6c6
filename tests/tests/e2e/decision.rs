//! Whether an answer is sure enough to do without a human, or its parent
//! category is: the same for one caller and many, classified or remembered.

use std::fs;

use aisle_tests::harness::Backend;
use aisle_tests::pictures::plain;
use aisle_tests::service::{Processes, Service};
use aisle_tests::wait;
use serde_json::{Value, json};

on_both_stores!(
    an_answer_says_what_of_it_is_sure_enough_also_from_the_cache,
    a_model_without_thresholds_decides_nothing,
);

/// The tiny network's scores: one colour alone is its label at nearly 1, two
/// cold ones share what is probable, grey is anything.
const RED: [u8; 3] = [220, 10, 10];
const CYAN: [u8; 3] = [10, 200, 200];
const GREY: [u8; 3] = [128, 128, 128];

/// The first image's result and the whole job.
async fn asked(service: &Service, picture: &[u8], query: &str) -> (Value, Value) {
    let url = service.url(&format!("/v1/jobs{query}"));
    let ask = service.client.post(url).header("content-type", "image/png");
    let answer = ask.header("prefer", "wait=60").body(picture.to_vec()).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    let job: Value = answer.json().await.unwrap();
    (job["results"][0].clone(), job)
}

async fn refused(service: &Service, query: &str) -> Value {
    let url = service.url(&format!("/v1/jobs{query}"));
    let ask = service.client.post(url).header("content-type", "image/png");
    let answer = ask.body(plain(RED, 8)).send().await.unwrap();
    assert_eq!(answer.status(), 422);
    answer.json().await.unwrap()
}

async fn an_answer_says_what_of_it_is_sure_enough_also_from_the_cache(backend: Backend) {
    let settings = [("AISLE_CACHE_MAX_ENTRIES", "1000")];
    let mut service = Service::in_folder(backend, &settings).await;
    let thresholds = json!({"accept": [
        {"precision": 0.98, "score": 0.9, "levels": [null]},
        {"precision": 0.95, "score": 0.8, "levels": [0.9]},
    ]});
    let folder = service.folder().join("models/tiny");
    fs::write(folder.join("aisle.json"), thresholds.to_string()).unwrap();
    service.begin(Processes::One).await;

    let offered = &service.get("/v1/models/tiny").await["accept"];
    let (low, high) = (&offered[0], &offered[1]);
    assert_eq!(low, &json!({"precision": 0.95, "score": 0.8, "levels": [0.9]}));
    assert_eq!(high, &json!({"precision": 0.98, "score": 0.9, "levels": [null]}));

    let cold = json!(["Cold"]);
    let cases = [
        (RED, "leaf", json!(["Warm", "Red"]), "leaf"),
        (CYAN, "parent", cold, "none"),
        (GREY, "none", Value::Null, "none"),
    ];
    for (colour, at_lowest, path, at_highest) in cases {
        let picture = plain(colour, 40);
        // Whatever was asked for first is what is kept.
        for (query, cached) in [("?top_k=1", false), ("?top_k=3", true), ("?cache=false", false)] {
            let (result, job) = asked(&service, &picture, query).await;
            assert_eq!(result["cached"], cached, "{result:#}");
            let decision = &result["decision"];
            assert_eq!(
                (&decision["accepted"], &decision["precision"]),
                (&json!(at_lowest), &json!(0.95))
            );
            assert_eq!(decision["category"]["path"], path, "{result:#}");
            assert_eq!(job["accept_precision"], Value::Null);
        }
        let (result, job) = asked(&service, &picture, "?accept_precision=0.98").await;
        assert_eq!(result["cached"], true);
        let decision = &result["decision"];
        assert_eq!(
            (&decision["accepted"], &decision["precision"]),
            (&json!(at_highest), &json!(0.98))
        );
        assert_eq!(job["accept_precision"], 0.98);
    }
    let problem = refused(&service, "?accept_precision=0.96").await;
    assert_eq!(problem["code"], "precision_not_offered", "{problem}");
    assert!(problem["detail"].to_string().contains("0.95 and 0.98"), "{problem}");

    let counted = wait::until("the counters", || async {
        let shown = service.client.get(service.url("/metrics")).send().await.ok()?;
        let shown = shown.text().await.ok()?;
        let count = |decision: &str| {
            let series =
                format!("aisle_decisions_total{{decision=\"{decision}\",model=\"tiny\"}} ");
            shown.lines().find_map(|line| line.strip_prefix(&series))?.parse::<u32>().ok()
        };
        let counts = [count("leaf")?, count("parent")?, count("none")?];
        (counts == [4, 3, 5]).then_some(())
    });
    counted.await;
}

async fn a_model_without_thresholds_decides_nothing(backend: Backend) {
    let service = Service::tiny(backend, Processes::One, &[]).await;
    assert_eq!(service.get("/v1/models/tiny").await["accept"], json!([]));
    let (result, _) = asked(&service, &plain(RED, 40), "").await;
    assert_eq!((&result["status"], &result["decision"]), (&json!("succeeded"), &Value::Null));
    let problem = refused(&service, "?accept_precision=0.95").await;
    assert_eq!(problem["code"], "precision_not_offered", "{problem}");
}
