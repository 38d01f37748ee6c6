use std::fs;
use std::process::Command;

use aisle_tests::harness::Backend;
use aisle_tests::pictures::{picture, plain};
use aisle_tests::service::{Processes, Service, binary};
use image::ImageFormat;

use crate::shop::{CATEGORIES, Shop, complaint, json, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_shops_folder_becomes_a_model_that_answers_in_its_words() {
    let shop = Shop::with(12);
    let report = shop.trained(&["--no-cache"]);
    assert_eq!(report["test"]["top_1"]["share"], 1.0, "{report:#}");

    let service = Service::start(Backend::Sqlite, Processes::One, &shop.path("models"), &[]).await;
    for (category, colour) in CATEGORIES {
        let upload = service
            .client
            .post(service.url("/v1/jobs?model=fruit"))
            .header("content-type", "image/jpeg")
            .header("prefer", "wait=30")
            .body(picture(colour, 333, 217, ImageFormat::Jpeg));
        let job: serde_json::Value =
            upload.send().await.expect("an answer").json().await.expect("a job");
        assert_eq!(job["status"], "succeeded", "{job:#}");
        let best = &job["results"][0]["predictions"][0]["label"];
        assert_eq!(best, &category.replace('/', " > "), "{job:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trained_model_says_what_of_an_answer_is_sure_enough() {
    let shop = Shop::with(24);
    // What is between two kinds of fruit is called now one, now the other.
    for nth in 0..48_u8 {
        let fruit = if nth % 2 == 0 { "Fruit/Tomato" } else { "Fruit/Lime" };
        // Of shades that differ, or they would be one picture.
        let shade = [180 + 3 * (nth % 8), 180 + 4 * (nth / 8), 10];
        shop.put(&format!("{fruit}/yellow-{nth}.png"), &plain(shade, 50));
    }
    let report = shop.trained(&["--no-cache", "--validation", "0.4"]);
    let validation = &report["validation"]["accepted"][0];
    assert!(validation["parent"]["accepted"]["count"].as_u64() > Some(0), "{validation:#}");
    assert!(validation["together"]["right"]["share"].as_f64() >= Some(0.95), "{validation:#}");

    let service = Service::start(Backend::Sqlite, Processes::One, &shop.path("models"), &[]).await;
    let offered = service.get("/v1/models/fruit").await["accept"].clone();
    for (offered, trained) in offered
        .as_array()
        .expect("a list")
        .iter()
        .zip(report["validation"]["accepted"].as_array().expect("a list"))
    {
        for key in ["precision", "score", "levels"] {
            assert_eq!(offered[key], trained[key], "{key}");
        }
    }
    let blue = plain([10, 10, 220], 77);
    for (picture, accepted, category) in
        [(blue, "leaf", "Drink > Water"), (plain([191, 190, 10], 99), "parent", "Fruit")]
    {
        let upload = service.client.post(service.url("/v1/jobs?model=fruit"));
        let upload = upload.header("content-type", "image/png").header("prefer", "wait=30");
        let job = upload.body(picture).send().await.expect("an answer");
        let job: serde_json::Value = job.json().await.expect("a job");
        let decision = &job["results"][0]["decision"];
        assert_eq!(decision["accepted"], accepted, "{job:#}");
        assert_eq!(decision["category"]["label"], category, "{job:#}");
    }

    let picture = shop.path("yellow.png");
    fs::write(&picture, plain([191, 190, 10], 99)).expect("a file");
    let mut classify = Command::new(binary());
    classify.arg("classify").arg(&picture).arg("--models").arg(shop.path("models"));
    let output = run(&mut classify);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("accepted at 95 %: Fruit ("), "{text} {}", complaint(&output));
    let refused = run(classify.args(["--accept-precision", "0.5"]));
    assert!(complaint(&refused).contains("0.95"), "{}", complaint(&refused));
}

#[test]
fn two_networks_become_one_graph_though_they_see_pixels_otherwise_and_mirrored() {
    let shop = Shop::with(12);
    let other = shop.other_network();
    let arguments = ["--json", "--no-cache", "--mirror"];
    let output = shop.train(&[&shop.path("networks/tiny"), &other], &arguments);
    let report = json(&output);
    assert_eq!(report["backbones"].as_array().map(Vec::len), Some(2));
    // The trainer itself runs the written folder as a worker would.
    let agreement = &report["agreement"];
    assert!(agreement["largest_difference"].as_f64() < Some(1e-4), "{agreement}");
    assert!(agreement["pictures"].as_u64() >= Some(2 + 6), "{agreement}");
}

#[test]
fn a_head_with_a_hidden_layer_is_served_as_it_was_trained() {
    let shop = Shop::with(60);
    let report = shop.trained(&["--no-cache", "--hidden", "32"]);
    assert_eq!(report["head"]["hidden"], 32, "{report:#}");
    assert_eq!(report["test"]["top_1"]["share"], 1.0, "{report:#}");
    let verified = run(Command::new(binary()).arg("verify").arg(shop.path("models/fruit")));
    assert!(verified.status.success(), "{}", complaint(&verified));
    let deep = ["--hidden", "32", "--fine-tune"];
    let refused = shop.train(&[&shop.path("networks/tiny")], &deep);
    assert!(complaint(&refused).contains("--hidden is for frozen networks"));
}

#[test]
fn networks_that_frame_otherwise_are_refused_before_any_work() {
    let shop = Shop::with(12);
    let other = shop.other_network();
    shop.preprocess(&other, |steps| steps["resample"] = 3.into());
    let output = shop.train(&[&shop.path("networks/tiny"), &other], &[]);
    assert!(complaint(&output).contains("tiny and other cannot be joined"), "{output:?}");
    assert!(!shop.path("models/fruit").exists());
}

#[test]
fn one_network_given_twice_is_refused_and_does_not_wait_for_itself() {
    let shop = Shop::with(12);
    let tiny = shop.path("networks/tiny");
    let output = shop.train(&[&tiny, &tiny], &[]);
    assert!(complaint(&output).contains("it is the same network again"), "{output:?}");
    assert!(!shop.path("models/fruit").exists());
}

#[test]
fn what_is_judged_again_is_judged_alike() {
    let shop = Shop::with(15);
    let report = shop.trained(&[]);
    let model = shop.path("models/fruit");
    let mut evaluate = Command::new(binary());
    evaluate.arg("evaluate").arg(&model).args(["--json", "--part", "test"]);
    evaluate.arg("--data").arg(model.join("split.csv")).arg("--images").arg(shop.path("data"));
    let again = json(&run(&mut evaluate));
    for figure in ["top_1", "top_3", "levels", "confusion", "accepted"] {
        assert_eq!(again["judgement"][figure], report["test"][figure], "{figure}");
    }
    let [ours, its] = [&again["judgement"], &report["test"]]
        .map(|judgement| judgement["calibration"]["temperature"].as_f64().expect("a number"));
    assert!((ours - its).abs() < 1e-5 * its, "served at {ours}, chosen as {its}");
}

#[test]
fn training_calculates_in_single_precision_whatever_serving_does() {
    let shop = Shop::with(12);
    let settings = shop.path("aisle.toml");
    fs::write(&settings, "provider = \"cpu\"\nprecision = \"bf16\"\n").expect("a file");
    let settings = settings.to_string_lossy();
    shop.trained(&["--no-cache", "--config", &settings]);
    shop.trained(&["--no-cache", "--replace", "--provider", "auto"]);
    let mut evaluate = Command::new(binary());
    evaluate.arg("evaluate").arg(shop.path("models/fruit")).arg("--data").arg(shop.path("data"));
    let judged = run(evaluate.args(["--config", &settings]));
    assert!(complaint(&judged).contains("cpu provider has no bf16"), "{judged:?}");
    let judged = run(evaluate.args(["--precision", "fp32"]));
    assert!(judged.status.success(), "{judged:?}");
}

#[test]
fn a_model_is_judged_as_it_was_tuned_and_the_answer_says_so() {
    let shop = Shop::with(12);
    shop.trained(&["--no-cache"]);
    let network = shop.path("models/fruit/onnx");
    // A variant that trials may find no faster, so it is chosen by hand.
    fs::copy(network.join("model.onnx"), network.join("model_int8.onnx")).expect("a copy");
    let state = shop.path("state");
    let judged = |arguments: &[&str]| {
        let mut evaluate = Command::new(binary());
        evaluate.arg("evaluate").arg(shop.path("models/fruit")).arg("--json");
        evaluate.arg("--data").arg(shop.path("data")).arg("--tuned-in").arg(&state);
        json(&run(evaluate.args(arguments)))
    };
    let plain = judged(&[]);
    let way = |provider: &str, precision: &str, tuned: bool| serde_json::json!({"provider": provider, "precision": precision, "tuned": tuned});
    assert_eq!(plain["run"], way("cpu", "fp32", false));

    // Nothing is remembered yet, so trials are made, as a worker makes them.
    assert_eq!(judged(&["--provider", "auto"])["run"]["tuned"], true);
    let file = state.join("tuning/fruit.json");
    let record = fs::read(&file).expect("the choice is remembered");
    let mut record: serde_json::Value = serde_json::from_slice(&record).expect("JSON");
    record["chosen"] = serde_json::json!({
        "provider": "cpu", "precision": "fp32", "variant": "int8", "sessions": 2, "threads": 1
    });
    fs::write(&file, record.to_string()).expect("a file");
    let tuned = judged(&["--provider", "auto"]);
    assert_eq!(tuned["run"], way("cpu", "int8", true));
    assert_eq!(tuned["judgement"]["confusion"], plain["judgement"]["confusion"]);
}

#[test]
fn a_model_is_not_judged_by_what_it_does_not_know() {
    let shop = Shop::with(12);
    shop.trained(&["--no-cache"]);
    let mut evaluate = Command::new(binary());
    evaluate.arg("evaluate").arg(shop.path("networks/tiny"));
    let output = run(evaluate.arg("--data").arg(shop.path("data")));
    assert!(complaint(&output).contains("none of its categories"), "{output:?}");
}
