use std::fs;
use std::process::Command;

use aisle_tests::pictures::{Colour, picture};
use aisle_tests::service::binary;
use image::ImageFormat;

use crate::shop::{CATEGORIES, Shop, json, run};

/// A page shows what it needs and asks nobody for anything.
fn assert_self_contained(page: &str) {
    assert!(page.starts_with("<!doctype html>"), "{page:.200}");
    for foreign in ["http:", "https:", "src=\"/", "<script", "<link", "@import", "url("] {
        assert!(!page.contains(foreign), "{foreign} in the page");
    }
}

#[test]
fn a_trained_model_comes_with_a_page_about_it() {
    let shop = Shop::with(12);
    shop.trained(&["--no-cache"]);
    let page = fs::read_to_string(shop.path("models/fruit/report.html")).expect("a page");
    assert_self_contained(&page);
    for (category, _) in CATEGORIES {
        assert!(page.contains(&category.replace('/', " &#62; ")), "{category} is missing");
    }
    assert!(page.contains("3 categories, learned from"), "{page:.3000}");
}

#[test]
fn a_page_shows_the_mistakes_as_they_look() {
    let shop = Shop::with(12);
    shop.trained(&["--no-cache"]);
    // Something red that somebody put among the limes, in a folder of its own.
    let wrong = picture(Colour::Red, 50, 70, ImageFormat::Png);
    fs::create_dir_all(shop.path("later/Fruit/Lime")).expect("a folder");
    fs::write(shop.path("later/Fruit/Lime/<b>no & lime.png"), wrong).expect("a file");
    let (page, data) = (shop.path("page.html"), shop.path("later"));
    let mut evaluate = Command::new(binary());
    evaluate.arg("evaluate").arg(shop.path("models/fruit")).arg("--data").arg(data);
    let judged = json(&run(evaluate.arg("--page").arg(&page).arg("--json")));
    let loss = &judged["judgement"]["largest_losses"][0];
    assert_eq!(loss["picture"], "Fruit/Lime/<b>no & lime.png");
    assert_eq!(loss["taken_for"], "Fruit > Tomato");

    let page = fs::read_to_string(page).expect("a page");
    assert_self_contained(&page);
    assert!(page.contains("src=\"data:image/jpeg;base64,"), "no picture");
    assert!(
        page.contains("&#60;b&#62;no &#38; lime.png") && !page.contains("<b>no"),
        "not escaped"
    );
}

#[test]
fn a_model_is_held_against_worse_pictures() {
    let shop = Shop::with(12);
    shop.trained(&["--no-cache"]);
    let page = shop.path("page.html");
    let evaluate = |arguments: &[&str]| {
        let mut evaluate = Command::new(binary());
        evaluate.arg("evaluate").arg(shop.path("models/fruit"));
        evaluate.arg("--data").arg(shop.path("data")).arg("--page").arg(&page);
        run(evaluate.args(arguments))
    };
    let judged = json(&evaluate(&["--json", "--robustness=20"]));
    let robustness = &judged["robustness"];
    assert_eq!((&robustness["pictures"], &robustness["plain"]["share"]), (&20.into(), &1.0.into()));
    let corrupted = robustness["corrupted"].as_array().expect("figures");
    assert_eq!(corrupted.len(), 7 * 3);
    // Colours tell these goods apart: one that lies on its side is as sure, and
    // one beside another, or in the dark, is not.
    let accepted = |corruption: &str| {
        let is = |one: &&serde_json::Value| {
            one["corruption"] == corruption && one["severity"] == "severe"
        };
        let found = corrupted.iter().find(is).expect("a figure");
        found["accepted"][0]["together"]["accepted"]["share"].as_f64().expect("a share")
    };
    assert_eq!(accepted("rotation"), 1.0, "{robustness:#}");
    assert_eq!(accepted("second_product"), 0.0, "{robustness:#}");
    assert_eq!(accepted("low_light"), 0.0, "{robustness:#}");
    assert_eq!(json(&evaluate(&["--json", "--robustness=20"]))["robustness"], *robustness);

    let told = String::from_utf8(evaluate(&["--robustness=5"]).stdout).expect("text");
    assert!(told.contains("worse pictures: 5, as they are 100.0 % right"), "{told}");
    assert!(told.contains("JPEG artefacts (quality 30, 15, 5)"), "{told}");
    let page = fs::read_to_string(page).expect("a page");
    assert!(page.contains("When pictures are worse"), "no section");
}
