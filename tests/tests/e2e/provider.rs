//! Where networks run is what was asked for, or nothing runs; and what is
//! found out by trying agrees, is remembered and can be looked up.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use aisle_tests::places::{files_below, repository, runtime_library};
use aisle_tests::service::binary;
use aisle_tests::tiny_model;
use serde_json::Value;
use tempfile::TempDir;

/// A models folder and a data folder.
struct Place(TempDir);

impl Place {
    fn with_a_model() -> Self {
        let place = Self(tempfile::tempdir().expect("a temporary folder"));
        tiny_model::write(&place.models(), "tiny").expect("a model folder");
        place
    }

    fn models(&self) -> PathBuf {
        self.0.path().join("models")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("aisle runs")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .arg("--models")
            .arg(self.models())
            .arg("--data")
            .arg(self.0.path().join("data"))
            .arg("--ort-lib")
            .arg(runtime_library())
            .current_dir(repository());
        command
    }

    /// What a command that succeeds prints.
    fn json(&self, arguments: &[&str]) -> Value {
        let run = self.run(arguments);
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{arguments:?}: {said}");
        serde_json::from_slice(&run.stdout).expect("JSON")
    }
}

/// Whether the library has a file of that provider; says so where not.
fn offers(provider: &str) -> bool {
    let library = runtime_library();
    let folder = library.parent().unwrap_or(Path::new(""));
    let there = folder.join(format!("libonnxruntime_providers_{provider}.so")).exists();
    if !there {
        let _ = writeln!(std::io::stderr(), "skipped: the library has no provider {provider}");
    }
    there
}

#[test]
fn a_provider_that_cannot_be_had_stops_the_worker_instead_of_running_elsewhere() {
    let place = Place::with_a_model();
    for (provider, name) in [("cuda", "CUDA"), ("tensorrt", "Tensor"), ("openvino", "OpenVINO")] {
        let file =
            runtime_library().with_file_name(format!("libonnxruntime_providers_{provider}.so"));
        if file.exists() {
            continue;
        }
        let run = place.run(&["worker", "--provider", provider]);
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(!run.status.success(), "{provider}: {said}");
        assert!(said.contains("tiny") && said.contains(name), "{provider}: {said}");
    }
}

#[test]
fn an_arithmetic_that_cannot_be_had_stops_the_worker() {
    let run = Place::with_a_model().run(&["worker", "--precision", "bf16"]);
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(!run.status.success(), "{said}");
    assert!(said.contains("the cpu provider has no bf16 on this machine"), "{said}");
}

#[test]
fn openvino_runs_where_it_is_named() {
    if !offers("openvino") {
        return;
    }
    let place = Place::with_a_model();
    let picture = place.0.path().join("red.png");
    image::RgbImage::from_pixel(40, 40, image::Rgb([200, 10, 10])).save(&picture).expect("a file");
    let answer = place.json(&[
        "classify",
        "--json",
        "--provider",
        "openvino",
        picture.to_str().expect("a path in UTF-8"),
    ]);
    assert_eq!(answer["provider"], "openvino", "{answer}");
    assert_eq!(answer["precision"], "fp32", "{answer}");
    assert_eq!(answer["predictions"][0]["label"], "Warm > Red", "{answer}");
}

#[test]
fn of_a_folders_variants_only_those_that_agree_may_be_chosen() {
    let place = Place::with_a_model();
    let folder = place.models().join("tiny");
    tiny_model::write_variant(&folder, "fp16", 1.0001).expect("a variant");
    tiny_model::write_variant(&folder, "int8", 1.2).expect("a variant");
    std::fs::write(folder.join("onnx/model_q4.onnx"), "no network").expect("a variant");
    let tuned = place.json(&["tune", "tiny", "--json"]);
    let trials = tuned[0]["trials"].as_array().expect("trials");
    let of = |variant: &str| {
        let on_cpu = |trial: &&Value| {
            trial["plan"]["variant"] == variant && trial["plan"]["provider"] == "cpu"
        };
        trials.iter().find(on_cpu).unwrap_or_else(|| panic!("{variant} was tried: {tuned:#}"))
    };
    assert_eq!(of("fp16")["outcome"]["measured"]["verdict"], "agrees", "{tuned:#}");
    assert!(of("int8")["outcome"]["measured"]["verdict"]["differs"].is_string(), "{tuned:#}");
    assert!(of("q4")["outcome"]["failed"].is_string(), "{tuned:#}");
    let chosen = trials.iter().find(|trial| trial["plan"] == tuned[0]["chosen"]);
    let verdict = &chosen.expect("one that was tried")["outcome"]["measured"]["verdict"];
    assert_eq!(verdict, "agrees", "{tuned:#}");
}

#[test]
fn a_choice_is_remembered_until_the_model_is_another() {
    let place = Place::with_a_model();
    let listed = || place.json(&["models", "--json", "--provider", "auto"])[0]["runs"].clone();
    assert_eq!(listed(), Value::Null);
    let tuned = place.json(&["tune", "--json"]);
    let runs = listed();
    assert_eq!(runs["provider"], tuned[0]["chosen"]["provider"]);
    assert_eq!(runs["tuning"]["made_at"], tuned[0]["made_at"], "{runs:#}");
    tiny_model::write_variant(&place.models().join("tiny"), "fp16", 1.0).expect("a variant");
    assert_eq!(listed(), Value::Null);
}

#[test]
fn whoever_asks_for_auto_gets_answers_before_and_after_the_choice_is_made() {
    let place = Place::with_a_model();
    let picture = place.0.path().join("blue.png");
    image::RgbImage::from_pixel(40, 40, image::Rgb([10, 10, 200])).save(&picture).expect("a file");
    let picture = picture.to_str().expect("a path in UTF-8");
    let record = place.0.path().join("data/tuning/tiny.json");
    let mut made = Vec::new();
    for _ in 0..2 {
        let answer = place.json(&["classify", "--json", "--provider", "auto", picture]);
        assert_eq!(answer["predictions"][0]["label"], "Cold > Blue", "{answer}");
        made.push(std::fs::read(&record).expect("a record"));
    }
    assert_eq!(made[0], made[1], "the choice was made once");
}

/// The official builds of ONNX Runtime do by default, and keep a device id in
/// the home folder.
#[test]
fn trials_report_nothing_to_the_makers_of_onnx_runtime() {
    let place = Place::with_a_model();
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut tune = place.command(&["tune"]);
    for folder in ["HOME", "XDG_CACHE_HOME"] {
        tune.env(folder, home.path());
    }
    let run = tune.env("ORT_DISABLE_TELEMETRY", "").output().expect("aisle runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert_eq!(files_below(home.path()), [] as [PathBuf; 0]);
}
