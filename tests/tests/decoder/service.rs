//! The whole service over children that hang or are killed.

use std::process::Command;

use aisle_tests::harness::Backend;
use aisle_tests::pictures::{Colour, picture};
use aisle_tests::service::{Processes, Service, binary};
use aisle_tests::wait;
use image::ImageFormat;
use reqwest::multipart::{Form, Part};
use serde_json::Value;

/// The decoders of a process: its children that were called so.
fn decoders_of(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |id: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let after_name =
            stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned()).unwrap_or_default();
        let command = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        after_name.split(' ').nth(1) == Some(&parent.to_string()) && command.ends_with(b"decoder\0")
    };
    let mut ids: Vec<u32> = ids.filter(is_child).collect();
    ids.sort_unstable();
    ids
}

fn signal(name: &str, process: u32) {
    let sent = Command::new("kill").args([name, &process.to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill {name} {process}");
}

async fn submit(service: &Service, images: usize) -> String {
    let bytes = picture(Colour::Red, 64, 48, ImageFormat::Jpeg);
    let form = (0..images).fold(Form::new(), |form, _| {
        form.part("image", Part::bytes(bytes.clone()).file_name("picture.jpg"))
    });
    let answer = service.client.post(service.url("/v1/jobs")).multipart(form).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let job: Value = answer.json().await.unwrap();
    job["id"].as_str().expect("a job id").to_owned()
}

const SETTINGS: [(&str, &str); 2] = [("AISLE_THREADS", "1"), ("AISLE_DECODE_TIMEOUT_SECONDS", "2")];

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_decoder_costs_one_image_and_no_place() {
    let service = Service::tiny(Backend::Sqlite, Processes::Apart, &SETTINGS).await;
    let worker = service.process("worker");
    let children = decoders_of(worker);
    assert_eq!(children.len(), 1);
    signal("-STOP", children[0]);
    let job = service.ended(&submit(&service, 5).await).await;
    assert_eq!(job["status"], "partial", "{job}");
    assert_eq!(job["items"]["succeeded"], 4);
    let results = job["results"].as_array().unwrap();
    let failed: Vec<_> = results.iter().filter(|result| result["status"] == "failed").collect();
    assert_eq!(failed[0]["error"]["code"], "decode_timeout");
    assert!(!decoders_of(worker).contains(&children[0]), "the child still runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_decoders_cost_nothing_and_the_worker_lives() {
    let service = Service::tiny(Backend::Sqlite, Processes::Apart, &SETTINGS).await;
    let worker = service.process("worker");
    for _ in 0..3 {
        // One kill for each job: a picture whose two decoders are killed is
        // rightly taken for the murderer.
        let before = decoders_of(worker);
        let id = submit(&service, 20).await;
        before.iter().for_each(|child| signal("-KILL", *child));
        let job = service.ended(&id).await;
        assert_eq!(job["items"]["succeeded"], 20, "{job}");
        assert!(decoders_of(worker).iter().all(|child| !before.contains(child)));
    }
    assert_eq!(service.process("worker"), worker);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stopping_worker_cannot_end_in_its_grace_time_is_handed_back_untried() {
    // A decoder that hangs outlives the grace time by far.
    let settings = [
        ("AISLE_THREADS", "1"),
        ("AISLE_DECODE_TIMEOUT_SECONDS", "30"),
        ("AISLE_GRACE_SECONDS", "1"),
        ("AISLE_MAX_ATTEMPTS", "1"),
    ];
    let mut service = Service::tiny(Backend::Sqlite, Processes::Apart, &settings).await;
    let children = decoders_of(service.process("worker"));
    signal("-STOP", children[0]);
    let id = submit(&service, 1).await;
    wait::until("the image in work", || async {
        let job = service.get(&format!("/v1/jobs/{id}")).await;
        (job["status"] == "processing").then_some(())
    })
    .await;
    service.terminate("worker");
    service.spawn("worker");
    let job = service.ended(&id).await;
    assert_eq!(job["status"], "succeeded", "{job}");
}

#[tokio::test(flavor = "multi_thread")]
async fn decoders_end_with_a_worker_that_is_killed() {
    let mut service = Service::tiny(Backend::Sqlite, Processes::Apart, &SETTINGS).await;
    let children = decoders_of(service.process("worker"));
    assert_eq!(children.len(), 1);
    service.kill("worker");
    wait::until("the children's end", || async {
        let gone = |child: &u32| {
            // Whoever inherits it may be slow to bury it.
            let status =
                std::fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
            status.is_empty() || status.contains("State:\tZ")
        };
        children.iter().all(gone).then_some(())
    })
    .await;
}

#[test]
fn a_folder_of_bad_and_good_images_is_classified_by_the_same_decoders() {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    aisle_tests::tiny_model::write(&models, "tiny").unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("a.jpg", &picture(Colour::Green, 64, 48, ImageFormat::Jpeg));
    write("b.jpg", &crate::chunks::jpeg_of_scans(7_000, 7_000, 1_000));
    write("c.png", &picture(Colour::Blue, 64, 48, ImageFormat::Png));
    let run = Command::new(binary())
        .args(["classify", "--json", "."])
        .arg("--models")
        .arg(&models)
        .arg("--ort-lib")
        .arg(aisle_tests::places::runtime_library())
        .current_dir(folder.path())
        .output()
        .unwrap();
    let lines = String::from_utf8(run.stdout).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let statuses: Vec<_> = lines.iter().map(|line| line["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["succeeded", "failed", "succeeded"], "{lines:?}");
    assert_eq!(lines[1]["error"]["code"], "undecodable");
}
