//! The program as a person or a script meets it.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn aisle(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aisle"));
    // No variable of the machine's own may change what is tried here.
    command.env_clear().current_dir(folder).args(arguments).output().unwrap()
}

fn complaint(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Real networks, where they are at hand.
fn shared_models() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/models");
    if folder.is_dir() {
        return Some(folder.canonicalize().unwrap());
    }
    let _ = writeln!(std::io::stderr(), "skipped: there are no models in {}", folder.display());
    None
}

#[test]
fn without_a_model_one_line_says_how_to_get_one() {
    let folder = tempfile::tempdir().unwrap();
    let complaint = complaint(&aisle(folder.path(), &["serve", "--listen", "127.0.0.1:0"]));
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    assert!(complaint.contains("AISLE_MODELS="), "{complaint}");
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none(), "something was left behind");
}

#[test]
fn all_problems_with_the_settings_are_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("aisle.toml"), "threads = 0\n").unwrap();
    let arguments = ["api", "--listen", "nowhere", "--store", "redis:hunter2"];
    let complaint = complaint(&aisle(folder.path(), &arguments));
    for place in ["--listen (flag)", "--store (flag)", "threads (aisle.toml)"] {
        assert!(complaint.contains(place), "{complaint}");
    }
    assert!(!complaint.contains("hunter2"), "{complaint}");
}

#[test]
fn a_redis_that_cannot_be_reached_is_named_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    // Port 1 is reserved and nobody listens there.
    let store = "redis://shop:hunter2@127.0.0.1:1";
    let arguments = ["api", "--listen", "127.0.0.1:0", "--store", store];
    let complaint = complaint(&aisle(folder.path(), &arguments));
    assert!(complaint.contains("redis://127.0.0.1:1 (AISLE_STORE)"), "{complaint}");
    assert!(!complaint.contains("hunter2"), "{complaint}");
}

#[test]
fn help_does_not_show_the_store_that_is_set() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aisle"));
    let help = command.args(["serve", "--help"]).env("AISLE_STORE", "redis://:hunter2@cache");
    let output = help.output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("AISLE_STORE") && !text.contains("hunter2"), "{text}");
}

#[test]
fn models_lists_every_model_and_fails_for_a_broken_one() {
    let Some(models) = shared_models() else { return };
    let folder = tempfile::tempdir().unwrap();
    let listed = aisle(folder.path(), &["models", "--models", models.to_str().unwrap(), "--json"]);
    assert!(listed.status.success(), "{listed:?}");
    let list: Vec<serde_json::Value> = serde_json::from_slice(&listed.stdout).unwrap();
    let names: Vec<_> = list.iter().map(|model| model["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["mobilenet-edgetpu", "mobilenet-v2", "squeezenet-1.1"]);
    assert!(list.iter().all(|model| model["state"] == "ready"), "{list:?}");

    let broken = folder.path().join("models/half");
    fs::create_dir_all(&broken).unwrap();
    fs::write(broken.join("config.json"), "{}").unwrap();
    let output = aisle(folder.path(), &["models", "--models", "models"]);
    let table = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(table.lines().nth(1).unwrap().starts_with("half"), "{table}");
    assert!(complaint(&output).contains("1 of 1 models cannot be served"));
}

#[test]
fn classify_reports_every_file_and_fails_if_one_is_no_image() {
    let Some(models) = shared_models() else { return };
    let library =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../.runtime/onnxruntime/libonnxruntime.so");
    assert!(library.is_file(), "`make setup` brings {}", library.display());
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("broken.jpg"), "not a photograph").unwrap();
    fs::write(folder.path().join("dot.gif"), GIF).unwrap();
    let model = models.join("squeezenet-1.1");
    let arguments = ["classify", ".", "--json", "--top-k", "3"];
    let output = aisle(
        folder.path(),
        &[
            &arguments[..],
            &["--models", model.to_str().unwrap(), "--ort-lib", library.to_str().unwrap()],
        ]
        .concat(),
    );
    let lines = String::from_utf8(output.stdout.clone()).unwrap();
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0]["status"], "failed");
    assert_eq!(lines[0]["error"]["code"], "unsupported_type");
    assert_eq!(lines[1]["status"], "succeeded");
    assert_eq!(lines[1]["predictions"].as_array().unwrap().len(), 3);
    assert!(complaint(&output).contains("1 of 2 images"));
}

/// One white dot.
const GIF: &[u8] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00\
    \x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00\x3b";

#[test]
fn the_intake_and_the_queue_are_switched_for_every_process() {
    let folder = tempfile::tempdir().unwrap();
    let say = |what: &str, wish: &str| {
        let arguments = [what, wish, "--ballast-mib", "0"];
        let output = aisle(folder.path(), &arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(say("intake", "show"), "the intake is open\n");
    assert_eq!(say("queue", "show"), "the queue is running\n");
    assert_eq!(say("intake", "close"), "the intake is closed\n");
    assert_eq!(say("queue", "pause"), "the queue is paused\n");
    assert_eq!(say("intake", "show"), "the intake is closed\n");
    assert_eq!(say("intake", "open"), "the intake is open\n");
    assert_eq!(say("queue", "show"), "the queue is paused\n");
    assert_eq!(say("queue", "resume"), "the queue is running\n");
}
