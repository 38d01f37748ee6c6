//! The service answers what plain Python with ONNX Runtime and Pillow answers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use aisle_tests::places::{files_below, python, repository, shared_folder};
use aisle_tests::service::binary;
use serde_json::Value;

const PHOTOGRAPHS: usize = 500;
const SMALLEST_SHARE_OF_EQUAL_TOP_1: f64 = 0.99;
const LARGEST_SCORE_DIFFERENCE: f64 = 0.02;

#[test]
fn mobilenet_v2_agrees_with_python() {
    agrees_with_python("mobilenet-v2");
}

#[test]
fn mobilenet_edgetpu_agrees_with_python() {
    agrees_with_python("mobilenet-edgetpu");
}

#[test]
fn squeezenet_agrees_with_python() {
    agrees_with_python("squeezenet-1.1");
}

fn agrees_with_python(model: &str) {
    let Some(shared) = shared_folder(&format!("{model} agrees with Python")) else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let photographs = photographs(&shared, folder.path());
    let models = shared.join("models");

    let expected = answers(
        Command::new(python())
            .arg(repository().join("tests/python/reference.py"))
            .arg(models.join(model))
            .args(&photographs),
    );
    assert_eq!(expected.len(), PHOTOGRAPHS);
    // Whatever `auto` chooses on this machine keeps the same bounds.
    for provider in ["cpu", "auto"] {
        let actual = answers(
            Command::new(binary())
                .args(["classify", "--json", "--model", model, "--top-k", "5", "--models"])
                .arg(&models)
                .args(["--provider", provider, "--data"])
                .arg(folder.path().join("data"))
                .args(&photographs)
                .current_dir(repository()),
        );
        assert_eq!(actual.len(), PHOTOGRAPHS);
        agree(&format!("{model} on {provider}"), &expected, &actual);
    }
}

fn agree(model: &str, expected: &Answers, actual: &Answers) {
    let mut equal = 0;
    let mut largest = 0.0_f64;
    for (path, reference) in expected {
        let ours = &actual[path];
        equal += usize::from(ours[0].0 == reference[0].0);
        let scores: HashMap<&str, f64> =
            ours.iter().map(|(label, score)| (label.as_str(), *score)).collect();
        for (label, score) in reference {
            if let Some(our_score) = scores.get(label.as_str()) {
                largest = largest.max((our_score - score).abs());
            }
        }
    }
    let share = equal as f64 / PHOTOGRAPHS as f64;
    println!(
        "{model}: top-1 equal on {equal} of {PHOTOGRAPHS}, largest score difference {largest:.4}"
    );
    assert!(share >= SMALLEST_SHARE_OF_EQUAL_TOP_1, "{model}: top-1 equal on {share}");
    assert!(largest <= LARGEST_SCORE_DIFFERENCE, "{model}: a score differs by {largest}");
}

/// Half of them taken at home, half of them catalogue pictures.
fn photographs(shared: &Path, folder: &Path) -> Vec<PathBuf> {
    let unpacked = Command::new("tar")
        .arg("-xf")
        .arg(shared.join("data/fashion/images.tar"))
        .arg("-C")
        .arg(folder)
        .status();
    assert!(unpacked.is_ok_and(|status| status.success()), "the catalogue pictures unpack");
    let catalogue = files_below(folder);
    let home = files_below(&shared.join("data/clothing/validation"));
    let every = |files: Vec<PathBuf>| {
        let step = (files.len() / (PHOTOGRAPHS / 2)).max(1);
        files.into_iter().step_by(step).take(PHOTOGRAPHS / 2).collect::<Vec<_>>()
    };
    let mut photographs = every(home);
    photographs.extend(every(catalogue));
    photographs
}

type Answers = HashMap<String, Vec<(String, f64)>>;

/// Runs a command that prints a JSON object a line, each with `file` and
/// `predictions`.
fn answers(command: &mut Command) -> Answers {
    let run = command.output().expect("the command runs");
    assert!(run.status.success(), "{command:?}: {}", String::from_utf8_lossy(&run.stderr));
    let lines = String::from_utf8(run.stdout).expect("UTF-8");
    lines
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect("a JSON object a line");
            let predictions = line["predictions"].as_array().expect("predictions");
            let pairs = predictions.iter().map(|prediction| {
                let label = prediction["label"].as_str().expect("a label").to_owned();
                (label, prediction["score"].as_f64().expect("a score"))
            });
            (line["file"].as_str().expect("a file").to_owned(), pairs.collect())
        })
        .collect()
}
