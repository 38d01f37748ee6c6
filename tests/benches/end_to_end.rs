//! What the queue costs: the whole service against the bare limit, over both
//! stores, in one run, interleaved, printed as ratios.
//!
//! The bare limit decodes, preprocesses and runs the same pictures through
//! the same network with everything in memory: no HTTP, no queue, no disk.
//! `make bench` runs it; real photographs and a real network are used where
//! `../shared` has them.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and fails by panicking"
)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aisle_tests::harness::Backend;
use aisle_tests::pictures::{Colour, picture};
use aisle_tests::places::{files_below, runtime_library, shared_folder};
use aisle_tests::service::{Processes, Service};
use aisle_tests::tiny_model;
use aisle_worker::decoder::{DecoderSettings, Isolation};
use aisle_worker::{Classifier, ClassifierSettings};
use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use image::ImageFormat;
use serde_json::Value;

const ROUNDS: usize = 5;
const PICTURES: usize = 400;
const CLIENTS: usize = 16;
const LATENCY_SAMPLES: usize = 100;
const PICTURES_AT_ONCE: usize = 64;
const TOP_K: u32 = 5;

#[tokio::main]
async fn main() {
    let subject = Subject::find();
    println!("{} · {PICTURES} pictures · {ROUNDS} rounds · {CLIENTS} clients", subject.what);
    let mut bare = Bare::load(&subject);
    let services = [
        ("SQLite, one process", service(Backend::Sqlite, Processes::One, &subject).await),
        ("Redis, API and worker", service(Backend::Redis, Processes::Apart, &subject).await),
    ];

    let mut limit = Vec::new();
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        limit.push(bare.images_per_second(&subject.pictures));
        for (rates, (_, service)) in rates.iter_mut().zip(&services) {
            rates.push(saturated(service, &subject.pictures).await);
        }
    }
    println!("\nthroughput, images/s                 median    min    max   share of the limit");
    row("bare limit", &limit, &limit);
    for (rates, (name, _)) in rates.iter().zip(&services) {
        row(name, rates, &limit);
    }

    println!("\nlatency, one client, ms                 p50    p99   added to the bare p50");
    let alone = percentiles(&bare.latencies(&subject.pictures));
    latency_row("bare limit", alone, alone);
    for (name, service) in &services {
        latency_row(name, percentiles(&one_client(service, &subject.pictures).await), alone);
    }
}

/// The pictures and the network that are measured.
struct Subject {
    what: String,
    models: PathBuf,
    model: &'static str,
    pictures: Vec<Bytes>,
}

impl Subject {
    fn find() -> Self {
        if let Some(shared) = shared_folder("real photographs in the benchmark") {
            let files = files_below(&shared.join("data/clothing/validation"));
            let read = |path: &PathBuf| Bytes::from(std::fs::read(path).expect("a photograph"));
            return Self {
                what: "mobilenet-v2, photographs of about 400 × 533 pixels".to_owned(),
                models: shared.join("models"),
                model: "mobilenet-v2",
                pictures: files.iter().cycle().take(PICTURES).map(read).collect(),
            };
        }
        let models = tempfile::tempdir().expect("a temporary folder").keep();
        tiny_model::write(&models, "tiny").expect("a model folder");
        let pictures = Colour::ALL.map(|colour| picture(colour, 400, 533, ImageFormat::Jpeg));
        Self {
            what: "the tests' tiny network, drawn pictures of 400 × 533 pixels".to_owned(),
            models,
            model: "tiny",
            pictures: pictures.into_iter().map(Bytes::from).cycle().take(PICTURES).collect(),
        }
    }
}

/// The bare limit: the worker's own stages with nothing around them.
struct Bare(Classifier);

impl Bare {
    fn load(subject: &Subject) -> Self {
        let models = subject.models.join(subject.model);
        let decoder = DecoderSettings::new(Isolation::Here);
        let settings = ClassifierSettings::new(models, runtime_library(), decoder);
        Self(Classifier::load(&settings).expect("a network"))
    }

    fn images_per_second(&mut self, pictures: &[Bytes]) -> f64 {
        let started = Instant::now();
        for part in pictures.chunks(PICTURES_AT_ONCE) {
            let answers = self.0.classify(part, TOP_K);
            assert!(answers.iter().all(Result::is_ok), "every picture is classified");
        }
        pictures.len() as f64 / started.elapsed().as_secs_f64()
    }

    fn latencies(&mut self, pictures: &[Bytes]) -> Vec<Duration> {
        let alone = pictures.chunks(1).take(LATENCY_SAMPLES);
        let timed = alone.map(|picture| {
            let started = Instant::now();
            let answers = self.0.classify(picture, TOP_K);
            assert!(answers.iter().all(Result::is_ok), "every picture is classified");
            started.elapsed()
        });
        timed.collect()
    }
}

async fn service(backend: Backend, processes: Processes, subject: &Subject) -> Service {
    let settings = [("AISLE_DEFAULT_MODEL", subject.model), ("AISLE_LOG", "warn")];
    let models = only_model(&subject.models, subject.model);
    Service::start(backend, processes, &models, &settings).await
}

/// A folder with that model alone, so that no other takes memory.
fn only_model(models: &Path, model: &str) -> PathBuf {
    let folder = tempfile::tempdir().expect("a temporary folder").keep();
    let target = std::fs::canonicalize(models.join(model)).expect("a model folder");
    std::os::unix::fs::symlink(target, folder.join(model)).expect("a link");
    folder
}

/// Posts every picture as a job of its own, as fast as the clients can, and
/// counts until the last result is recorded.
async fn saturated(service: &Service, pictures: &[Bytes]) -> f64 {
    let started = Instant::now();
    let jobs: Vec<String> = stream::iter(pictures.iter().cloned())
        .map(|bytes| async move {
            let job = post(service, bytes, "respond-async").await;
            job["id"].as_str().expect("a job id").to_owned()
        })
        .buffer_unordered(CLIENTS)
        .collect()
        .await;
    stream::iter(&jobs)
        .for_each_concurrent(CLIENTS, |id| async move {
            loop {
                let url = service.url(&format!("/v1/jobs/{id}"));
                let answer = service.client.get(url).header("prefer", "wait=60").send().await;
                let job: Value = answer.expect("an answer").json().await.expect("a job");
                match job["status"].as_str() {
                    Some("succeeded") => return,
                    Some("queued" | "processing") => {}
                    other => panic!("a job ended {other:?}: {job}"),
                }
            }
        })
        .await;
    pictures.len() as f64 / started.elapsed().as_secs_f64()
}

/// Posts one picture after another, each waiting for its answer.
async fn one_client(service: &Service, pictures: &[Bytes]) -> Vec<Duration> {
    let mut latencies = Vec::new();
    for bytes in pictures.iter().take(LATENCY_SAMPLES) {
        let started = Instant::now();
        let job = post(service, bytes.clone(), "wait=60").await;
        latencies.push(started.elapsed());
        assert_eq!(job["status"], "succeeded", "{job}");
    }
    latencies
}

async fn post(service: &Service, bytes: Bytes, prefer: &str) -> Value {
    let answer = service
        .client
        .post(service.url("/v1/jobs"))
        .header("content-type", "image/jpeg")
        .header("prefer", prefer)
        .body(bytes)
        .send()
        .await
        .expect("an answer");
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    answer.json().await.expect("a job")
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn row(name: &str, rates: &[f64], limit: &[f64]) {
    let shares: Vec<f64> = rates.iter().zip(limit).map(|(rate, limit)| rate / limit).collect();
    let (least, most) = range(rates);
    let (least_share, most_share) = range(&shares);
    println!(
        "{name:<34} {:>8.1} {least:>6.1} {most:>6.1}   {:.2} ({least_share:.2} to {most_share:.2})",
        median(rates),
        median(&shares),
    );
}

fn latency_row(name: &str, (p50, p99): (f64, f64), (bare, _): (f64, f64)) {
    println!("{name:<34} {p50:>8.1} {p99:>6.1}   {:+.1}", p50 - bare);
}

fn range(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| {
        (least.min(*value), most.max(*value))
    })
}

/// p50 and p99 in milliseconds.
fn percentiles(latencies: &[Duration]) -> (f64, f64) {
    let mut millis: Vec<f64> = latencies.iter().map(|time| time.as_secs_f64() * 1e3).collect();
    millis.sort_by(f64::total_cmp);
    (millis[millis.len() / 2], millis[millis.len() * 99 / 100])
}
