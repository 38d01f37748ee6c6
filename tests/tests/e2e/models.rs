//! Models come, change and go while jobs run: no job is lost, none fails for it.

use std::fs;
use std::path::{Path, PathBuf};

use aisle_tests::harness::Backend;
use aisle_tests::pictures::{Colour, picture};
use aisle_tests::service::{Processes, Service};
use aisle_tests::{tiny_model, wait};
use image::ImageFormat;
use serde_json::{Value, json};

/// Looks so often that tests need not wait.
const LOOKS: (&str, &str) = ("AISLE_MODELS_POLL_MS", "100");

/// Those who submit at once.
const CLIENTS: usize = 4;

on_both_stores!(
    jobs_flow_while_a_model_is_replaced,
    a_folder_that_is_broken_leaves_the_version_before_it_serving,
    a_model_that_is_taken_away_is_unknown_and_what_waits_for_it_ends,
    networks_that_do_not_fit_together_are_loaded_in_turn,
    a_model_that_is_asked_a_lot_is_answered_by_replicas_too,
);

/// A job of one picture for a model, as its submission was answered.
async fn submit(service: &Service, model: &str) -> (u16, Value) {
    let url = service.url(&format!("/v1/jobs?model={model}"));
    let picture = picture(Colour::Red, 40, 40, ImageFormat::Png);
    let request = service.client.post(url).header("content-type", "image/png").body(picture);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// The job when it has ended.
async fn job(service: &Service, model: &str) -> Value {
    let (status, job) = submit(service, model).await;
    assert_eq!(status, 202, "{job}");
    service.ended(job["id"].as_str().unwrap()).await
}

/// The best label of a job that succeeded, and the version that said it.
async fn answer(service: &Service, model: &str) -> (String, String) {
    let job = job(service, model).await;
    assert_eq!(job["status"], "succeeded", "{job}\n{}", service.logs());
    let result = &job["results"][0];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&result["predictions"][0]["label"]), text(&result["model_version"]))
}

/// The model as it is listed, once it is as wanted.
async fn listed(service: &Service, model: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let wanted = &wanted;
    wait::until("the model to be listed as wanted", || async move {
        let models = service.get("/v1/models").await;
        let models = models["data"].as_array().unwrap();
        let model = models.iter().find(|each| each["name"] == model).unwrap_or(&Value::Null);
        wanted(model).then(|| model.clone())
    })
    .await
}

/// Writes the model with another name for red beside its place, and moves it
/// there, as `aisle train --replace` does.
fn replace(models: &Path, name: &str, red: &str) {
    let workshop = models.join(format!(".{name}.new"));
    let made = tiny_model::write(&workshop, name).unwrap();
    rename_red(&made, red);
    fs::rename(models.join(name), workshop.join("old")).unwrap();
    fs::rename(made, models.join(name)).unwrap();
    fs::remove_dir_all(workshop).unwrap();
}

fn rename_red(folder: &Path, red: &str) {
    let config = folder.join("config.json");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("Warm > Red", red)).unwrap();
}

fn models_of(service: &Service) -> PathBuf {
    service.folder().join("models")
}

/// The sum of all series of a metric whose labels hold a text.
async fn metric(service: &Service, name: &str, labels: &str) -> f64 {
    let shown = service.client.get(service.url("/metrics")).send().await.unwrap();
    let shown = shown.text().await.unwrap();
    let of_it = shown.lines().filter(|line| line.starts_with(&format!("{name}{{")));
    let values =
        of_it.filter(|line| line.contains(labels)).filter_map(|line| line.rsplit(' ').next());
    values.map(|value| value.parse::<f64>().unwrap()).sum()
}

async fn jobs_flow_while_a_model_is_replaced(backend: Backend) {
    let settings = [LOOKS, ("AISLE_CACHE_MAX_ENTRIES", "1000")];
    let service = Service::tiny(backend, Processes::Apart, &settings).await;
    let (old, first) = answer(&service, "tiny").await;
    assert_eq!(old, "Warm > Red");
    let replaced = std::sync::atomic::AtomicUsize::new(0);
    let clients = (0..CLIENTS).map(|_| async {
        let mut answers = Vec::new();
        // Until each has had some of the new version.
        while answers.iter().filter(|(label, _)| label == "Warm > Rose").count() < 5 {
            answers.push(answer(&service, "tiny").await);
            if replaced.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 10 {
                replace(&models_of(&service), "tiny", "Warm > Rose");
            }
        }
        answers
    });
    let new = listed(&service, "tiny", |model| model["version"] == first.as_str()).await;
    assert_eq!(new["trouble"], Value::Null);
    for answers in futures::future::join_all(clients).await {
        let mut points: Vec<&(String, String)> = answers.iter().collect();
        points.dedup();
        let labels: Vec<&str> = points.iter().map(|(label, _)| label.as_str()).collect();
        // The same picture again and again: no answer of the cache is of the other version.
        assert!(labels == ["Warm > Red", "Warm > Rose"] || labels == ["Warm > Rose"], "{labels:?}");
        assert!(
            points.iter().all(|(label, version)| (version == &first) == (label == "Warm > Red"))
        );
    }
    listed(&service, "tiny", |model| model["version"] != first.as_str()).await;
}

async fn a_folder_that_is_broken_leaves_the_version_before_it_serving(backend: Backend) {
    let service = Service::tiny(backend, Processes::One, &[LOOKS]).await;
    let (_, first) = answer(&service, "tiny").await;
    let models = models_of(&service);
    let network = models.join("tiny/model.onnx");
    let whole = fs::read(&network).unwrap();
    fs::write(&network, &whole[..whole.len() / 2]).unwrap();
    let listed_with = |trouble: bool| {
        listed(&service, "tiny", move |model| model["trouble"].is_string() == trouble)
    };
    let model = listed_with(true).await;
    let trouble = model["trouble"].as_str().unwrap();
    assert!(trouble.contains("tiny"), "{trouble}");
    assert!(!trouble.contains(&models.display().to_string()), "{trouble}");
    assert_eq!((model["version"].as_str(), &model["live_workers"]), (Some(&*first), &json!(1)));
    assert_eq!(answer(&service, "tiny").await, ("Warm > Red".to_owned(), first.clone()));
    assert_eq!(service.get("/health/ready").await["status"], "ok");
    let of_tiny = "model=\"tiny\"";
    assert_eq!(metric(&service, "aisle_model_trouble", of_tiny).await, 1.0);

    // Another model that is broken is no matter of this one.
    fs::create_dir(models.join("other")).unwrap();
    fs::write(models.join("other/config.json"), "{").unwrap();
    fs::write(&network, &whole).unwrap();
    rename_red(&models.join("tiny"), "Warm > Rose");
    listed_with(false).await;
    let (label, second) = answer(&service, "tiny").await;
    assert_eq!((label.as_str(), second == first), ("Warm > Rose", false));
    assert_eq!(metric(&service, "aisle_model_trouble", of_tiny).await, 0.0);
    wait::until("the other model's trouble", || async {
        (metric(&service, "aisle_model_trouble", "other").await == 1.0).then_some(())
    })
    .await;
    let (status, problem) = submit(&service, "other").await;
    assert_eq!((status, &problem["code"]), (422, &json!("unknown_model")));
    // Its series of the version that is served is the only one.
    assert_eq!(metric(&service, "aisle_model_info", of_tiny).await, 1.0);
}

async fn a_model_that_is_taken_away_is_unknown_and_what_waits_for_it_ends(backend: Backend) {
    let service = Service::tiny(backend, Processes::Apart, &[LOOKS]).await;
    let models = models_of(&service);
    let made = tiny_model::write(&models.join(".new"), "later").unwrap();
    fs::rename(made, models.join("later")).unwrap();
    listed(&service, "later", |model| model["live_workers"] == 1).await;
    assert_eq!(answer(&service, "later").await.0, "Warm > Red");

    assert!(service.run(&["queue", "pause"]).status.success());
    let (_, waits) = submit(&service, "later").await;
    let (_, other) = submit(&service, "tiny").await;
    fs::remove_dir_all(models.join("later")).unwrap();
    listed(&service, "later", Value::is_null).await;
    // The API asks the store once a second.
    let refused = wait::until("a refusal", || async {
        let (status, problem) = submit(&service, "later").await;
        (status != 202).then_some((status, problem["code"].clone()))
    });
    assert_eq!(refused.await, (422, json!("unknown_model")));
    assert!(service.run(&["queue", "resume"]).status.success());
    let ended = service.ended(waits["id"].as_str().unwrap()).await;
    assert_eq!(ended["status"], "failed", "{ended}");
    assert_eq!(ended["results"][0]["error"]["code"], "model_removed", "{ended}");
    let other = service.ended(other["id"].as_str().unwrap()).await;
    assert_eq!(other["status"], "succeeded", "{other}");
}

async fn networks_that_do_not_fit_together_are_loaded_in_turn(backend: Backend) {
    let models = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c"] {
        tiny_model::write_heavy(models.path(), name, 10).unwrap();
    }
    let settings = [LOOKS, ("AISLE_MODEL_MEMORY_MIB", "28")];
    let service = Service::start(backend, Processes::One, models.path(), &settings).await;
    let memory = async |name: &str| {
        metric(&service, "aisle_model_memory_bytes", &format!("model=\"{name}\"")).await
            / f64::from(1 << 20)
    };
    for name in ["b", "c", "b", "a", "c", "b", "c"] {
        assert_eq!(answer(&service, name).await.0, "Warm > Red");
        assert!(memory(name).await >= 10.0, "{name} has just run");
        assert!(memory("a").await >= 10.0, "the default model's stays");
        let all = memory("a").await + memory("b").await + memory("c").await;
        assert!(all <= 28.0, "{all} MiB");
    }
    assert!(metric(&service, "aisle_model_evictions_total", "b").await >= 2.0);

    // Out of memory, and now its folder is another that is broken: its items wait.
    assert!(memory("b").await <= 0.0, "c was the last that ran");
    let network = models.path().join("b/model.onnx");
    let whole = fs::read(&network).unwrap();
    fs::write(&network, "no network").unwrap();
    listed(&service, "b", |model| model["trouble"].is_string()).await;
    let (_, waits) = submit(&service, "b").await;
    assert_eq!(answer(&service, "c").await.0, "Warm > Red");
    fs::write(&network, &whole).unwrap();
    let ended = service.ended(waits["id"].as_str().unwrap()).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
}

async fn a_model_that_is_asked_a_lot_is_answered_by_replicas_too(backend: Backend) {
    let service = Service::tiny(backend, Processes::One, &[("AISLE_THREADS", "2")]).await;
    let service = &service;
    let replicas = async || metric(service, "aisle_model_replicas", "model=\"tiny\"").await;
    assert_eq!(answer(service, "tiny").await.0, "Warm > Red");
    assert_eq!(replicas().await, 0.0, "one after the other");
    let all_red = async || {
        let many = (0..16).map(|_| answer(service, "tiny"));
        for (label, _) in futures::future::join_all(many).await {
            assert_eq!(label, "Warm > Red");
        }
    };
    wait::until("both replicas", || async {
        all_red().await;
        (replicas().await == 2.0).then_some(())
    })
    .await;
    all_red().await;
}
