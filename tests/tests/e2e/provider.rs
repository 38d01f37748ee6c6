//! Where networks run is what was asked for, or nothing runs.

use std::process::Command;

use aisle_tests::places::{repository, runtime_library};
use aisle_tests::service::binary;
use aisle_tests::tiny_model;

#[test]
fn a_provider_that_cannot_be_had_stops_the_worker_instead_of_running_elsewhere() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    tiny_model::write(&folder.path().join("models"), "tiny").expect("a model folder");
    let run = Command::new(binary())
        .args(["worker", "--provider", "cuda", "--models"])
        .arg(folder.path().join("models"))
        .arg("--data")
        .arg(folder.path().join("data"))
        // The library that the set-up brings knows no GPU.
        .arg("--ort-lib")
        .arg(runtime_library())
        .current_dir(repository())
        .output()
        .expect("the worker runs");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(!run.status.success(), "{said}");
    assert!(said.contains("tiny") && said.contains("CUDA"), "{said}");
}
