use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use aisle_tests::places::shared_folder;
use aisle_tests::service::binary;
use serde_json::{Value, json};

use crate::shop::{Shop, complaint, copy, run};

/// The verdict on a folder, and whether the program said that all is well.
fn verify(model: &Path, arguments: &[&str]) -> (Value, bool) {
    let mut command = Command::new(binary());
    let output = run(command.arg("verify").arg(model).arg("--json").args(arguments));
    let verdict = serde_json::from_slice(&output.stdout);
    (
        verdict.unwrap_or_else(|_| panic!("no verdict: {}", complaint(&output))),
        output.status.success(),
    )
}

/// The stages that do not agree.
fn differing(verdict: &Value) -> Vec<&str> {
    let stages = verdict["stages"].as_array().expect("a list").iter();
    stages
        .filter(|stage| stage["agrees"] == false)
        .filter_map(|stage| stage["step"].as_str())
        .collect()
}

/// Findings of a weight as `file key`.
fn findings(verdict: &Value, weight: &str) -> Vec<String> {
    let findings = verdict["findings"].as_array().expect("a list").iter();
    let of_weight = findings.filter(|finding| finding["weight"] == weight);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    of_weight
        .map(|finding| format!("{} {}", text(&finding["file"]), text(&finding["key"])))
        .collect()
}

/// A copy of a model folder, with one thing changed.
fn copied(shop: &Shop, name: &str, change: impl FnOnce(&Path)) -> PathBuf {
    let (from, to) = (shop.path("models/fruit"), shop.path("broken").join(name));
    copy(&from, &to);
    change(&to);
    to
}

fn edit(file: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&fs::read(file).expect("a file")).expect("JSON");
    change(&mut value);
    fs::write(file, value.to_string()).expect("a file");
}

fn truncate(file: &Path) {
    let bytes = fs::read(file).expect("a file");
    fs::write(file, &bytes[..bytes.len() / 2]).expect("a file");
}

#[test]
fn what_was_trained_is_verified_and_whatever_is_broken_is_found_where_it_is() {
    let shop = Shop::with(12);
    shop.trained(&["--no-cache"]);
    let (whole, well) = verify(&shop.path("models/fruit"), &[]);
    assert!(well && whole["agrees"] == true && whole["golden"] == true, "{whole:#}");
    let steps: Vec<_> = whole["stages"].as_array().expect("a list").iter().collect();
    assert_eq!(steps.len(), 4, "{whole:#}");
    for exact in &steps[..2] {
        assert_eq!(exact["largest_difference"], 0.0, "{whole:#}");
    }
    assert!(steps[2]["largest_difference"].as_f64() < Some(1e-4), "{whole:#}");

    let steps = |change: fn(&mut Value)| {
        move |folder: &Path| edit(&folder.join("preprocessor_config.json"), change)
    };
    let config =
        |change: fn(&mut Value)| move |folder: &Path| edit(&folder.join("config.json"), change);
    let broken = [
        (
            "mean",
            copied(&shop, "mean", steps(|it| it["image_mean"] = json!([0.5, 0.4, 0.5]))),
            vec!["tensor"],
        ),
        (
            "channels",
            copied(&shop, "channels", steps(|it| it["do_flip_channel_order"] = true.into())),
            vec!["tensor"],
        ),
        (
            "resample",
            copied(&shop, "resample", steps(|it| it["resample"] = 0.into())),
            vec!["pixels"],
        ),
        (
            "swapped",
            copied(
                &shop,
                "swapped",
                config(|it| {
                    it["id2label"] =
                        json!({"0": "Drink > Water", "1": "Fruit > Tomato", "2": "Fruit > Lime"});
                }),
            ),
            vec!["answers"],
        ),
        (
            "fewer",
            copied(
                &shop,
                "fewer",
                config(|it| {
                    it["id2label"] = json!({"0": "Drink > Water", "1": "Fruit > Lime"});
                    it["num_labels"] = 2.into();
                }),
            ),
            vec!["network"],
        ),
        (
            "network",
            copied(&shop, "network", |folder| truncate(&folder.join("onnx/model.onnx"))),
            vec!["network"],
        ),
        (
            "golden",
            copied(&shop, "golden", |folder| truncate(&folder.join("golden/wide.png.tensor"))),
            vec!["golden"],
        ),
        (
            "temperature",
            copied(&shop, "temperature", |folder| {
                edit(&folder.join("aisle.json"), |it| it["temperature"] = 9.5.into());
            }),
            vec!["answers"],
        ),
    ];
    for (name, folder, expected) in broken {
        let (verdict, well) = verify(&folder, &[]);
        assert!(!well && verdict["agrees"] == false, "{name}: {verdict:#}");
        let found = differing(&verdict);
        assert!(expected.iter().all(|step| found.contains(step)), "{name}: {verdict:#}");
        // A stage is judged by itself: what comes before it does not count.
        let innocent: &[&str] = match name {
            "mean" | "channels" => &["pixels", "logits"],
            "resample" => &["tensor", "logits"],
            "swapped" | "temperature" => &["pixels", "tensor", "logits"],
            _ => &[],
        };
        assert!(!found.iter().any(|step| innocent.contains(step)), "{name}: {verdict:#}");
    }
}

#[test]
fn every_fault_of_a_folder_is_told_with_its_file_and_key() {
    let shop = Shop::with(0);
    let folder = shop.path("networks/tiny");
    edit(&folder.join("config.json"), |it| {
        it["id2label"] = json!({"0": "Warm > Red", "2": "Cold > Blue"});
    });
    shop.preprocess(&folder, |it| {
        it["image_std"] = 0.into();
        it["do_pad"] = true.into();
        it["sharpen"] = 3.into();
    });
    let (verdict, well) = verify(&folder, &[]);
    assert!(!well, "{verdict:#}");
    let faults = findings(&verdict, "fault");
    for fault in [
        "config.json id2label",
        "preprocessor_config.json image_std",
        "preprocessor_config.json do_pad",
    ] {
        assert!(faults.iter().any(|found| found == fault), "{fault}: {verdict:#}");
    }
    assert_eq!(findings(&verdict, "strange"), ["preprocessor_config.json sharpen"]);
    let (nothing, well) = verify(&shop.path("networks/none"), &[]);
    assert!(!well && nothing["agrees"] == false, "{nothing:#}");
}

#[test]
fn a_folder_made_elsewhere_is_tried_and_what_it_leaves_out_is_told() {
    let shop = Shop::with(0);
    let folder = shop.path("networks/tiny");
    shop.preprocess(&folder, |it| {
        it.as_object_mut().expect("an object").remove("resample");
    });
    let (verdict, well) = verify(&folder, &[]);
    assert!(well && verdict["golden"] == false, "{verdict:#}");
    let assumed = findings(&verdict, "assumed");
    assert!(assumed.iter().any(|key| key == "preprocessor_config.json resample"), "{verdict:#}");
    assert_eq!(differing(&verdict), Vec::<&str>::new());
    let (tuned, well) =
        verify(&folder, &["--provider", "auto", "--data", &shop.path("state").to_string_lossy()]);
    assert!(well, "{tuned:#}");
    assert_eq!(tuned["stages"].as_array().map(Vec::len), Some(5), "{tuned:#}");
}

#[test]
fn published_folders_can_be_served() {
    let Some(shared) = shared_folder("published folders can be served") else { return };
    for model in ["mobilenet-v2", "mobilenet-edgetpu", "squeezenet-1.1"] {
        let (verdict, well) = verify(&shared.join("models").join(model), &[]);
        assert!(well, "{verdict:#}");
        assert_eq!(findings(&verdict, "fault"), Vec::<String>::new());
    }
}
