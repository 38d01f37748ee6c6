//! The compose file describes processes that work together. No container
//! engine is needed: the same commands run with the same settings, only
//! addresses and folders are this machine's.

use std::process::Command;

use aisle_tests::harness::Backend;
use aisle_tests::pictures::{Colour, picture};
use aisle_tests::places::{python, repository};
use aisle_tests::service::{Processes, Service};
use image::ImageFormat;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn the_processes_of_the_compose_file_do_the_main_job() {
    let compose = compose_file();
    let settings = [settings(&compose, "api"), settings(&compose, "worker")].concat();
    let kept: Vec<(&'static str, &str)> = settings
        .iter()
        .filter(|(name, _)| !depends_on_the_machine(name))
        .map(|(name, value)| (&*name.clone().leak(), value.as_str()))
        .collect();
    let service = Service::tiny(Backend::Redis, Processes::Apart, &kept).await;
    let answer = service
        .client
        .post(service.url("/v1/jobs"))
        .header("content-type", "image/jpeg")
        .header("prefer", "wait=30")
        .body(picture(Colour::Green, 64, 64, ImageFormat::Jpeg))
        .send()
        .await
        .expect("an answer");
    let job: Value = answer.json().await.expect("a job");
    assert_eq!(job["results"][0]["predictions"][0]["label"], "Cold > Green", "{job}");
}

#[test]
fn the_compose_file_keeps_its_promises() {
    let compose = compose_file();
    let redis = compose["services"]["redis"]["command"].to_string();
    assert!(redis.contains("appendonly") && redis.contains("noeviction"), "{redis}");
    for name in ["redis", "api", "worker", "worker-gpu"] {
        let service = &compose["services"][name];
        assert!(service["healthcheck"].is_object(), "{name} has no health check");
        assert_eq!(service["read_only"], true, "{name} can write to its image");
        assert_eq!(service["cap_drop"][0], "ALL", "{name} keeps capabilities");
    }
    assert_eq!(compose["services"]["worker-gpu"]["profiles"][0], "gpu");
    let api = &compose["services"]["api"];
    assert_eq!(api["ports"].as_array().unwrap().len(), 1, "more than the API is published");
    assert_eq!(api["healthcheck"]["test"], serde_json::json!(["CMD", "aisle", "health"]));
    // Open to this machine alone; keys as soon as it is published elsewhere.
    assert_eq!(api["ports"][0], "${AISLE_PUBLISH:-127.0.0.1:8080}:8080");
    assert_eq!(api["environment"]["AISLE_AUTH"], "${AISLE_PUBLISH:+keys}");
}

fn depends_on_the_machine(name: &str) -> bool {
    ["AISLE_LISTEN", "AISLE_STORE", "AISLE_DATA", "AISLE_MODELS", "AISLE_ORT_LIB"].contains(&name)
        || name.ends_with("_LISTEN")
}

fn settings(compose: &Value, service: &str) -> Vec<(String, String)> {
    let environment = compose["services"][service]["environment"].as_object();
    let environment = environment.unwrap_or_else(|| panic!("{service} has no environment"));
    let text = |value: &Value| {
        default_of(&value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    environment.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// What Compose makes of `${NAME:-default}` and of `${NAME:+other}` where NAME
/// is not set.
fn default_of(value: &str) -> String {
    let inner = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    let default = inner.map(|inner| inner.split_once(":-").map_or("", |(_, default)| default));
    default.unwrap_or(value).to_owned()
}

fn compose_file() -> Value {
    let read = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let run = Command::new(python())
        .args(["-c", read])
        .arg(repository().join("docker-compose.yml"))
        .output()
        .expect("Python runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    serde_json::from_slice(&run.stdout).expect("JSON")
}
