//! A head that learns from changed views of photographs too.

use std::fs;
use std::process::Command;

use aisle_tests::service::binary;

use crate::shop::{Shop, complaint, json, run};

#[test]
fn a_head_learns_from_views_too_and_the_same_seed_changes_pictures_alike() {
    let shop = Shop::with(12);
    let graph = || fs::read(shop.path("models/fruit/onnx/model.onnx")).expect("a graph");
    let plain = shop.trained(&[]);
    let without = graph();
    assert!(plain["head"]["views"].is_null(), "{plain:#}");

    let report = shop.trained(&["--replace", "--views", "2"]);
    let with = graph();
    assert_eq!(report["head"]["views"]["number"], 2, "{report:#}");
    assert_eq!(report["data"], plain["data"], "views are no pictures of their own");
    assert!(with != without, "the views taught nothing");
    let card = fs::read_to_string(shop.path("models/fruit/README.md")).expect("a card");
    assert!(card.contains("2 changed views of each picture"), "{card}");
    let cached = fs::read_dir(shop.path("models/.aisle-cache")).expect("a cache").count();
    assert_eq!(cached, 3, "the pictures and two views of them are kept apart");

    shop.trained(&["--replace", "--views", "2"]);
    assert!(graph() == with, "with a cache it is another model");
    shop.trained(&["--replace", "--views", "2", "--no-cache"]);
    assert!(graph() == with, "without a cache it is another model");
    shop.trained(&["--replace", "--views", "2", "--augment", "0.5"]);
    assert!(graph() != with, "weaker changes are the same changes");
}

#[test]
fn pictures_that_judge_are_never_changed() {
    let shop = Shop::with(15);
    let report = shop.trained(&["--views", "1"]);
    let model = shop.path("models/fruit");
    for part in ["validation", "test"] {
        let mut evaluate = Command::new(binary());
        evaluate.arg("evaluate").arg(&model).args(["--json", "--part", part]);
        evaluate.arg("--data").arg(model.join("split.csv")).arg("--images").arg(shop.path("data"));
        let again = json(&run(&mut evaluate));
        for figure in ["pictures", "top_1", "confusion", "accepted"] {
            assert_eq!(again["judgement"][figure], report[part][figure], "{part}: {figure}");
        }
    }
}

#[test]
fn a_strength_without_anything_to_change_is_refused() {
    let shop = Shop::with(12);
    let output = shop.train(&[&shop.path("networks/tiny")], &["--augment", "0.5"]);
    assert!(complaint(&output).contains("--views"), "{output:?}");
    assert!(!shop.path("models/fruit").exists());
}
