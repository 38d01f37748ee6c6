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
fn a_folder_called_models_need_not_be_named() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("models/of-the-house");
    fs::create_dir_all(&model).unwrap();
    fs::write(model.join("config.json"), "{}").unwrap();
    let output = aisle(folder.path(), &["models", "--json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("of-the-house"), "{text}");
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

/// Everything that is printed of a key but the key itself.
fn keys(folder: &Path, arguments: &[&str]) -> Output {
    aisle(folder, &[&["keys"], arguments].concat())
}

fn listed(folder: &Path) -> Vec<serde_json::Value> {
    let output = keys(folder, &["list", "--json"]);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_key_is_printed_once_and_alone_and_can_be_listed_and_revoked() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(listed(folder.path()), [] as [serde_json::Value; 0]);
    let arguments = ["create", "--name", "the importer", "--tenant", "berlin", "--expires", "90d"];
    let more = ["--scopes", "jobs:read,admin", "--weight", "3", "--rate", "60"];
    let created = keys(folder.path(), &[&arguments[..], &more[..]].concat());
    assert!(created.status.success(), "{created:?}");
    let printed = String::from_utf8(created.stdout).unwrap();
    let key = printed.trim_end();
    let id = key.strip_prefix("aisle_").and_then(|rest| rest.get(..8)).unwrap();
    assert_eq!((printed.lines().count(), key.len()), (1, "aisle_".len() + 8 + 1 + 43));
    let secret = key.rsplit('_').next().unwrap();
    let remarks = String::from_utf8(created.stderr).unwrap();
    assert!(remarks.contains(id) && !remarks.contains(secret), "{remarks}");

    let list = listed(folder.path());
    assert_eq!(list.len(), 1);
    for (field, value) in [
        ("id", serde_json::json!(id)),
        ("name", "the importer".into()),
        ("tenant", "berlin".into()),
        ("scopes", serde_json::json!(["jobs:read", "admin"])),
        ("weight", 3.into()),
        ("rate_per_minute", 60.into()),
        ("last_used_on", serde_json::Value::Null),
        ("state", "active".into()),
    ] {
        assert_eq!(list[0][field], value, "{field}");
    }
    let table = String::from_utf8(keys(folder.path(), &["list"]).stdout).unwrap();
    assert!(table.contains("the importer") && table.contains("60/min"), "{table}");
    let kept = fs::read(folder.path().join("data/aisle.db")).unwrap();
    let kept = [kept, fs::read(folder.path().join("data/aisle.db-wal")).unwrap_or_default()];
    let kept = kept.concat();
    assert!(!kept.windows(secret.len()).any(|window| window == secret.as_bytes()));

    assert!(keys(folder.path(), &["revoke", id]).status.success());
    assert_eq!(listed(folder.path())[0]["state"], "revoked");
    assert!(keys(folder.path(), &["revoke", id]).status.success(), "again");
    assert!(complaint(&keys(folder.path(), &["revoke", "zzzzzzzz"])).contains("no key zzzzzzzz"));
    let whole = complaint(&keys(folder.path(), &["revoke", key]));
    assert!(!whole.contains(secret), "{whole}");
}

#[test]
fn a_key_that_makes_no_sense_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    for wrong in [
        ["--tenant", "a b"],
        ["--scopes", "jobs:reed"],
        ["--scopes", ""],
        ["--expires", "90"],
        ["--expires", "-1d"],
        ["--expires", "1mo"],
        ["--weight", "0"],
        ["--rate", "0"],
        ["--name", "two\nlines"],
    ] {
        let arguments = [&["create"], &wrong[..]].concat();
        let named = [&arguments[..], &["--name", "x"]].concat();
        let all = if wrong[0] == "--name" { arguments } else { named };
        assert!(!keys(folder.path(), &all).status.success(), "{wrong:?}");
    }
    assert_eq!(listed(folder.path()).len(), 0);
}

#[test]
fn a_public_address_is_not_served_without_a_key_unless_that_was_said_twice() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |more: &[&str]| {
        complaint(&aisle(folder.path(), &[&["api", "--listen", "0.0.0.0:0"], more].concat()))
    };
    for more in [&[][..], &["--auth", "keys"], &["--auth", "keys", "--danger-open"]] {
        let told = refused(more);
        assert!(told.contains("aisle keys create --name NAME"), "{told}");
        assert!(told.contains("0.0.0.0:0 (AISLE_LISTEN)"), "{told}");
    }
    assert!(refused(&["--auth", "open"]).contains("AISLE_DANGER_OPEN=true"));
    // A key that works no longer is none.
    let made = keys(folder.path(), &["create", "--name", "x"]);
    let key = String::from_utf8(made.stdout).unwrap();
    assert!(keys(folder.path(), &["revoke", key.get(6..14).unwrap()]).status.success());
    assert!(refused(&[]).contains("there is no API key yet"));
}

#[test]
fn a_certificate_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("cert.pem"), "no certificate").unwrap();
    fs::write(folder.path().join("key.pem"), "hunter2").unwrap();
    let arguments = ["--listen", "127.0.0.1:0", "--tls-cert", "cert.pem", "--tls-key", "key.pem"];
    let told = complaint(&aisle(folder.path(), &[&["api"], &arguments[..]].concat()));
    assert!(told.contains("AISLE_TLS_CERT") && told.contains("no certificate"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
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
