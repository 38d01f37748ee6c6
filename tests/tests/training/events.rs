//! What the real TensorBoard reads of a training.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use aisle_tests::places::{python, repository};
use serde_json::{Value, json as value};

use crate::shop::{Shop, json};

/// Whether the package is there; says so where it is not.
pub(crate) fn has_tensorboard(test: &str) -> bool {
    let has_it = Command::new(python()).args(["-c", "import tensorboard"]).output();
    let has_it = has_it.expect("Python runs").status.success();
    if !has_it {
        // Past the test runner, which shows nothing of tests that pass.
        let why = format!("skipped {test}: the package tensorboard is absent");
        let _ = writeln!(std::io::stderr(), "{why}");
    }
    has_it
}

/// What it reads from a folder: `scalars` and `pictures` by their tags.
pub(crate) fn events(folder: &Path) -> Value {
    let script = repository().join("tests/tests/training/read_events.py");
    json(&Command::new(python()).arg(script).arg(folder).output().expect("Python runs"))
}

#[test]
fn tensorboard_itself_reads_how_a_head_was_found() {
    if !has_tensorboard("TensorBoard reads how a head was found") {
        return;
    }
    let shop = Shop::with(12);
    let folder = shop.path("events");
    let arguments = ["--no-cache", "--views", "2", "--tensorboard", &folder.to_string_lossy()];
    let report = shop.trained(&arguments);
    let read = events(&folder);
    let tried = report["head"]["tried"].as_array().expect("strengths");
    for (tag, figure) in [
        ("log loss/validation", "log_loss"),
        ("top-1/validation", "top_1"),
        ("regularisation", "lambda"),
    ] {
        let points = read["scalars"][tag].as_array().expect("figures");
        assert_eq!(points.len(), tried.len(), "{tag}: {read:#}");
        for ((nth, point), step) in (1..).zip(points).zip(tried) {
            assert_eq!(point[0], nth, "{tag}");
            let [written, told] = [&point[1], &step[figure]].map(Value::as_f64);
            assert!((written.expect("a number") - told.expect("a number")).abs() < 1e-6, "{tag}");
        }
    }
    let objective = read["scalars"]["objective/train"].as_array().expect("a path");
    assert!(objective.len() > 2 * tried.len(), "{read:#}");
    for tag in ["log loss/train", "top-1/train"] {
        assert_eq!(read["scalars"][tag].as_array().map(Vec::len), Some(tried.len()), "{tag}");
    }
    // The pictures as they are, then each view of them; 4 × 4 of 32 pixels.
    assert_eq!(read["pictures"]["samples/train"], value!([3, 128, 128]), "{read:#}");
    let matrix = &read["pictures"]["confusion/validation"];
    assert_eq!(*matrix, value!([tried.len(), 480, 480]), "{read:#}");
}
