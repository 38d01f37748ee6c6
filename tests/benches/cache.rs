//! What a picture costs that was sent before: the same jobs with each picture
//! classified anew and with each answer in the cache, over both stores, in one
//! run, interleaved, printed as ratios.
//!
//! `cargo bench --bench cache` runs it; real photographs and a real network
//! are used where `../shared` has them.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints, and fails by panicking"
)]

use std::path::PathBuf;
use std::time::Instant;

use aisle_tests::harness::Backend;
use aisle_tests::pictures::{Colour, picture};
use aisle_tests::places::{files_below, shared_folder};
use aisle_tests::service::{Processes, Service};
use aisle_tests::tiny_model;
use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use image::ImageFormat;
use reqwest::multipart::{Form, Part};
use serde_json::Value;

const ROUNDS: usize = 5;
const PICTURES: usize = 400;
const PICTURES_A_JOB: usize = 20;
const CLIENTS: usize = 4;

#[tokio::main]
async fn main() {
    let (what, models, model, pictures) = subject();
    println!("{what} · {PICTURES} pictures in jobs of {PICTURES_A_JOB} · {ROUNDS} rounds");
    println!("\nimages/s, medians      anew   cached   cached / anew (range)");
    for (name, backend, processes) in [
        ("SQLite, one process", Backend::Sqlite, Processes::One),
        ("Redis, API and worker", Backend::Redis, Processes::Apart),
    ] {
        let settings = [
            ("AISLE_CACHE_MAX_ENTRIES", "100000"),
            ("AISLE_DEFAULT_MODEL", model),
            ("AISLE_LOG", "warn"),
        ];
        let service = Service::start(backend, processes, &models, &settings).await;
        // The first time fills the cache.
        rate(&service, &pictures, true).await;
        let (mut anew, mut cached) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            anew.push(rate(&service, &pictures, false).await);
            cached.push(rate(&service, &pictures, true).await);
        }
        let mut ratios: Vec<f64> = cached.iter().zip(&anew).map(|(c, a)| c / a).collect();
        ratios.sort_by(f64::total_cmp);
        println!(
            "{name:<21} {:>6.0}   {:>6.0}   {:.1} ({:.1} to {:.1})",
            median(&anew),
            median(&cached),
            ratios[ROUNDS / 2],
            ratios[0],
            ratios[ROUNDS - 1],
        );
    }
}

/// What is measured, its models, the model, and pictures that all differ.
fn subject() -> (&'static str, PathBuf, &'static str, Vec<Bytes>) {
    if let Some(shared) = shared_folder("real photographs in the benchmark") {
        let files = files_below(&shared.join("data/clothing/validation"));
        let read = |path: &PathBuf| Bytes::from(std::fs::read(path).expect("a photograph"));
        let what = "mobilenet-v2, photographs of about 400 × 533 pixels";
        let pictures = files.iter().take(PICTURES).map(read).collect();
        return (what, shared.join("models"), "mobilenet-v2", pictures);
    }
    let models = tempfile::tempdir().expect("a temporary folder").keep();
    tiny_model::write(&models, "tiny").expect("a model folder");
    let drawn = |number: usize| {
        let width = 200 + u32::try_from(number).expect("few pictures");
        Bytes::from(picture(Colour::ALL[number % 3], width, 533, ImageFormat::Jpeg))
    };
    let what = "the tests' tiny network, drawn pictures of 200 to 600 × 533 pixels";
    (what, models, "tiny", (0..PICTURES).map(drawn).collect())
}

/// Images a second from the first submission to the last answer.
async fn rate(service: &Service, pictures: &[Bytes], cache: bool) -> f64 {
    let started = Instant::now();
    stream::iter(pictures.chunks(PICTURES_A_JOB))
        .for_each_concurrent(CLIENTS, |pictures| async move {
            let form = pictures.iter().fold(Form::new(), |form, bytes| {
                form.part("image", Part::stream(bytes.clone()).file_name("picture.jpg"))
            });
            let url = service.url(&format!("/v1/jobs?cache={cache}"));
            let posted = service.client.post(url).header("prefer", "wait=60").multipart(form);
            let answer = posted.send().await.expect("an answer");
            let job: Value = answer.json().await.expect("a job");
            assert_eq!(job["status"], "succeeded", "{job}");
            assert!(cache || job["items"]["cached"] == 0, "{job}");
        })
        .await;
    pictures.len() as f64 / started.elapsed().as_secs_f64()
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
