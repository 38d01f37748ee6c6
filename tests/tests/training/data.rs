use std::fs;

use aisle_tests::pictures::{Colour, picture};
use image::ImageFormat;

use crate::shop::{Shop, complaint};

#[test]
fn broken_files_and_copies_cost_nothing_but_themselves() {
    let shop = Shop::with(12);
    shop.put("Fruit/Tomato/torn.jpg", b"\xff\xd8\xff and no more");
    shop.put("Fruit/Tomato/notes.txt", b"not a picture");
    let copy = fs::read(shop.path("data/Fruit/Lime/3.png")).expect("a picture");
    shop.put("Fruit/Lime/copy.png", &copy);
    let of_two = fs::read(shop.path("data/Fruit/Lime/5.png")).expect("a picture");
    shop.put("Drink/Water/lime.png", &of_two);
    shop.put("Drink/Rare/1.png", &picture(Colour::Blue, 200, 99, ImageFormat::Png));

    let data = &shop.trained(&["--no-cache"])["data"];
    assert_eq!(data["broken"][0]["name"], "Fruit/Tomato/torn.jpg", "{data:#}");
    assert_eq!(data["skipped"][0]["name"], "Fruit/Tomato/notes.txt", "{data:#}");
    assert_eq!(data["duplicates"], 1, "{data:#}");
    let both = serde_json::json!(["Drink/Water/lime.png", "Fruit/Lime/5.png"]);
    assert_eq!(data["contradictions"], both, "{data:#}");
    assert_eq!(data["left_out"]["Drink > Rare"], 1, "{data:#}");
    let split = fs::read_to_string(shop.path("models/fruit/split.csv")).expect("a split");
    assert_eq!(split.lines().count(), 1 + 12 + 12 + 11, "{split}");
}

#[test]
fn the_same_seed_makes_the_same_model_with_and_without_a_cache() {
    let shop = Shop::with(12);
    let graph = || fs::read(shop.path("models/fruit/onnx/model.onnx")).expect("a graph");
    let split = || fs::read(shop.path("models/fruit/split.csv")).expect("a split");
    shop.trained(&[]);
    let first = (graph(), split());
    let cached: Vec<_> = fs::read_dir(shop.path("models/.aisle-cache"))
        .expect("a cache beside the models")
        .collect();
    assert_eq!(cached.len(), 1, "{cached:?}");
    shop.trained(&["--replace"]);
    assert!((graph(), split()) == first, "with a cache it is another model");
    shop.trained(&["--replace", "--no-cache"]);
    assert!((graph(), split()) == first, "without a cache it is another model");
    shop.trained(&["--replace", "--seed", "7"]);
    assert!(split() != first.1, "another seed splits alike");
}

#[test]
fn nothing_that_is_there_is_overwritten_unasked() {
    let shop = Shop::with(12);
    let network = shop.path("networks/tiny");
    fs::create_dir_all(shop.path("models/fruit")).expect("a folder");
    fs::write(shop.path("models/fruit/diary.txt"), "dear").expect("a file");
    assert!(complaint(&shop.train(&[&network], &[])).contains("--replace"));
    let insisted = complaint(&shop.train(&[&network], &["--replace"]));
    assert!(insisted.contains("is no model folder"), "{insisted}");
    assert!(shop.path("models/fruit/diary.txt").exists());
}

#[test]
fn what_cannot_be_learned_from_is_said() {
    let shop = Shop::with(3);
    let too_few = complaint(&shop.train(&[&shop.path("networks/tiny")], &[]));
    assert!(too_few.contains("0 categories have at least 10"), "{too_few}");
    let network = shop.path("networks/none");
    let no_model = complaint(&shop.train(&[&network], &[]));
    assert!(no_model.contains("none"), "{no_model}");
}
