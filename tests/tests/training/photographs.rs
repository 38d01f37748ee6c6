use std::fs;
use std::path::Path;

use aisle_tests::places::{files_below, shared_folder};

use crate::shop::{Shop, json};

/// Photographs of each category to learn from, and to choose by.
const EACH: [(&str, usize); 2] = [("train", 24), ("validation", 8)];

/// Chance is 0.1; with all photographs it is 0.85.
const LEAST: f64 = 0.6;

#[test]
fn real_photographs_are_told_apart_by_a_real_network() {
    let Some(shared) = shared_folder("real photographs are told apart") else { return };
    let shop = Shop::with(0);
    for (part, count) in EACH {
        for category in fs::read_dir(shared.join("data/clothing").join(part)).expect("a folder") {
            let category = category.expect("an entry").path();
            for file in files_below(&category).into_iter().take(count) {
                let name = |path: &Path| path.file_name().map(std::ffi::OsStr::to_owned);
                let (folder, file_name) = (name(&category), name(&file));
                let to =
                    Path::new(part).join(folder.expect("a name")).join(file_name.expect("a name"));
                shop.put(&to.to_string_lossy(), &fs::read(file).expect("a photograph"));
            }
        }
    }
    let network = shared.join("models/mobilenet-v2");
    let report = json(&shop.train(&[&network], &["--json", "--no-cache", "--wide"]));
    assert_eq!(report["data"]["categories"].as_object().map(serde_json::Map::len), Some(10));
    let right = report["validation"]["top_1"]["share"].as_f64().expect("a share");
    assert!(right > LEAST, "only {right} are right");
    assert!(report["agreement"]["largest_difference"].as_f64() < Some(1e-4), "{report:#}");
}
