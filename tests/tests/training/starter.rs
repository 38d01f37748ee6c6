//! The model that the repository ships, as a stranger meets it.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use aisle_tests::harness::Backend;
use aisle_tests::pictures::{Colour, picture};
use aisle_tests::places::{files_below, repository, shared_folder};
use aisle_tests::service::{Processes, Service, binary};
use image::ImageFormat;
use serde_json::Value;

use crate::shop::{complaint, copy, run};

/// Larger and it has no place in a repository.
const MOST_BYTES: u64 = 8 << 20;

/// Photographs of a kind that are asked about.
const EACH: usize = 20;

/// What people photographed at home, and the shelf on which it is to be found.
const AT_HOME: [(&str, &[&str]); 10] = [
    ("dress", &["Clothing"]),
    ("hat", &["Accessories", "Hats"]),
    ("longsleeve", &["Clothing", "Tops"]),
    ("outwear", &["Clothing", "Tops"]),
    ("pants", &["Clothing", "Bottoms"]),
    ("shirt", &["Clothing", "Tops"]),
    ("shoes", &["Footwear"]),
    ("shorts", &["Clothing", "Bottoms"]),
    ("skirt", &["Clothing"]),
    ("t-shirt", &["Clothing", "Tops"]),
];

fn starter() -> PathBuf {
    repository().join("models/starter")
}

/// What `aisle classify` says of photographs, by the path of each.
fn classify(photographs: &[PathBuf]) -> HashMap<PathBuf, Value> {
    let mut command = Command::new(binary());
    command.arg("classify").arg("--json").args(["--model", "starter", "--models"]);
    let output = run(command.arg(repository().join("models")).args(photographs));
    assert!(output.status.success(), "{}", complaint(&output));
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    let answers = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    answers
        .map(|answer| (PathBuf::from(answer["file"].as_str().expect("a name")), answer))
        .collect()
}

/// The path of the likeliest category.
fn best(answer: &Value) -> Vec<&str> {
    let path = answer["predictions"][0]["path"].as_array().expect("a path");
    path.iter().filter_map(Value::as_str).collect()
}

#[test]
fn the_starter_is_served_as_it_was_trained() {
    let mut command = Command::new(binary());
    let output = run(command.arg("verify").arg(starter()));
    assert!(output.status.success(), "{output:?}");
    let bytes: u64 =
        files_below(&starter()).iter().map(|file| fs::metadata(file).expect("a file").len()).sum();
    assert!(bytes < MOST_BYTES, "{bytes} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_service_answers_by_the_starter_in_shelves_and_says_how_sure_it_is() {
    for backend in [Backend::Sqlite, Backend::Redis] {
        let models = tempfile::tempdir().expect("a folder");
        copy(&starter(), &models.path().join("starter"));
        let service = Service::start(backend, Processes::One, models.path(), &[]).await;
        let upload = service
            .client
            .post(service.url("/v1/jobs"))
            .header("content-type", "image/jpeg")
            .header("prefer", "wait=30")
            .body(picture(Colour::Red, 300, 400, ImageFormat::Jpeg));
        let job: Value = upload.send().await.expect("an answer").json().await.expect("a job");
        assert_eq!(job["model"], "starter", "{job:#}");
        let result = &job["results"][0];
        assert!(best(result).len() >= 2, "{job:#}");
        let accepted = result["decision"]["accepted"].as_str().expect("a decision");
        assert!(["leaf", "parent", "none"].contains(&accepted), "{job:#}");
    }
}

#[test]
fn photographs_that_people_took_at_home_find_their_shelf() {
    let Some(shared) = shared_folder("photographs find their shelf") else { return };
    let folder = shared.join("data/clothing/validation").canonicalize().expect("a folder");
    let photographs: Vec<PathBuf> = (AT_HOME.iter())
        .flat_map(|(kind, _)| files_below(&folder.join(kind)).into_iter().take(EACH))
        .collect();
    let answers = classify(&photographs);
    let shelf = |photograph: &Path| {
        let kind = photograph.parent().and_then(Path::file_name).expect("a folder");
        let found = AT_HOME.iter().find(|(name, _)| kind == *name);
        found.map(|(_, shelf)| *shelf).expect("a kind")
    };
    let right = photographs
        .iter()
        .filter(|photograph| best(&answers[*photograph]).starts_with(shelf(photograph)));
    let (right, all) = (right.count(), photographs.len());
    assert!(right * 100 >= all * 75, "{right} of {all}");
}
