//! Learning in the network itself, where the program can: it is built with the
//! feature `fine-tune` by `make test`.

use std::fs;
use std::io::{BufRead as _, BufReader, Cursor, Write as _};
use std::path::Path;
use std::process::Stdio;

use aisle_tests::places::shared_folder;
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::Value;

use crate::events::{events, has_tensorboard};
use crate::shop::{Shop, complaint, json};

/// Says so where the program cannot learn in a network.
fn can_tune(test: &str) -> bool {
    let shop = Shop::with(0);
    let output = shop.train(&[&shop.path("networks/tiny")], &["--fine-tune"]);
    let can = !complaint(&output).contains("`make trainer` builds");
    if !can {
        // Past the test runner, which shows nothing of tests that pass.
        let _ = writeln!(
            std::io::stderr(),
            "skipped {test}: the program was built without the feature fine-tune"
        );
    }
    can
}

/// A shop with a small network of its own, learned from scratch: its report.
fn scratch(shop: &Shop, arguments: &[&str]) -> Value {
    let usual = ["--json", "--from-scratch", "--size", "64", "--batch", "8"];
    json(&shop.train(&[], &[&usual, arguments].concat()))
}

/// Learns on in the model that is there.
fn fine_tune<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let usual = ["--json", "--no-cache", "--fine-tune", "--layers", "4", "--batch", "8"];
    [&usual, arguments].concat()
}

#[test]
fn a_network_that_begins_with_random_weights_learns_and_is_served_as_it_learned() {
    if !can_tune("learning from scratch") {
        return;
    }
    let shop = Shop::with(20);
    let report = scratch(&shop, &["--epochs", "8"]);
    let tuning = &report["tuning"];
    assert_eq!(tuning["from_scratch"], true, "{report:#}");
    let epochs = tuning["epochs_done"].as_array().expect("epochs");
    let loss = |epoch: &Value| epoch["log_loss"].as_f64().expect("a number");
    let (first, best) = (loss(&epochs[0]), epochs.iter().map(loss).fold(f64::MAX, f64::min));
    assert!(best < 0.7 * first, "from {first} to {best}");
    // The trainer itself holds the written folder against what burn computes.
    let agreement = &report["agreement"]["largest_difference"];
    assert!(agreement.as_f64() < Some(1e-4), "{agreement}");
    let card = fs::read_to_string(shop.path("models/fruit/README.md")).expect("a card");
    assert!(card.contains("learned from random weights") && !card.contains("Networks below"));
    assert!(!shop.path("models/.fruit.training").exists(), "what was kept for a stop stays");
}

#[test]
fn a_tuned_network_is_never_worse_than_what_it_began_as() {
    if !can_tune("tuning") {
        return;
    }
    let shop = Shop::with(20);
    scratch(&shop, &["--epochs", "2"]);
    let network = shop.path("own");
    fs::rename(shop.path("models/fruit"), &network).expect("a model folder");
    let arguments = fine_tune(&["--epochs", "3", "--mirror", "--views", "2"]);
    let report = json(&shop.train(&[&network], &arguments));
    let epochs = report["tuning"]["epochs_done"].as_array().expect("epochs");
    let losses: Vec<f64> =
        epochs.iter().map(|epoch| epoch["log_loss"].as_f64().expect("a number")).collect();
    assert_eq!(losses.len(), 4, "{report:#}");
    let best = report["tuning"]["best"].as_u64().and_then(|best| usize::try_from(best).ok());
    let best = losses[best.expect("a number")];
    assert!(losses.iter().all(|loss| best <= *loss), "{losses:?}");
    let agreement = &report["agreement"]["largest_difference"];
    assert!(agreement.as_f64() < Some(1e-4), "{agreement}");
}

#[test]
fn a_training_that_was_killed_goes_on_and_learns_the_same() {
    if !can_tune("going on after a stop") {
        return;
    }
    let shop = Shop::with(12);
    scratch(&shop, &["--epochs", "1"]);
    let network = shop.path("own");
    fs::rename(shop.path("models/fruit"), &network).expect("a model folder");
    let arguments = fine_tune(&["--epochs", "4", "--patience", "4"]);
    let graph = || fs::read(shop.path("models/fruit/onnx/model.onnx")).expect("a graph");
    let whole = json(&shop.train(&[&network], &arguments));
    let expected = graph();

    let mut command = shop.command(&[&network], &[&arguments[..], &["--replace"]].concat());
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it runs");
    let lines = BufReader::new(child.stderr.take().expect("its standard error")).lines();
    let mut lines = lines.map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("epoch 2:")), "it told of no second epoch");
    child.kill().expect("it is there to be killed");
    child.wait().expect("it ended");
    assert!(shop.path("models/.fruit.training/checkpoint.safetensors").exists());

    let other = fine_tune(&["--epochs", "5", "--replace"]);
    let refused = shop.train(&[&network], &other);
    assert!(complaint(&refused).contains("--restart"), "{refused:?}");
    let resumed = shop.train(&[&network], &[&arguments[..], &["--replace"]].concat());
    assert!(complaint(&resumed).contains("going on after epoch"), "{}", complaint(&resumed));
    let resumed = json(&resumed);
    assert_eq!(resumed["tuning"]["epochs_done"], whole["tuning"]["epochs_done"]);
    assert!(graph() == expected, "the resumed training learned otherwise");
}

#[test]
fn tensorboard_itself_reads_how_learning_went() {
    if !can_tune("TensorBoard reads") || !has_tensorboard("TensorBoard reads") {
        return;
    }
    let shop = Shop::with(12);
    let folder = shop.path("events");
    let report = scratch(&shop, &["--epochs", "2", "--tensorboard", &folder.to_string_lossy()]);
    let read = events(&folder);
    let epochs = report["tuning"]["epochs_done"].as_array().expect("epochs");
    let top_1 = read["scalars"]["top-1/validation"].as_array().expect("figures");
    assert_eq!(top_1.len(), 3, "{read:#}");
    for (epoch, point) in epochs.iter().zip(top_1) {
        assert_eq!(point[0], epoch["epoch"]);
        let [written, told] = [&point[1], &epoch["top_1"]].map(Value::as_f64);
        assert!((written.expect("a number") - told.expect("a number")).abs() < 1e-6);
    }
    for tag in ["loss/train", "learning rate", "top-1/train", "log loss/validation"] {
        assert!(read["scalars"][tag].is_array(), "{tag} is missing: {read:#}");
    }
    let pictures = &read["pictures"];
    assert_eq!(pictures["samples/train"], serde_json::json!([3, 256, 256]), "{read:#}");
    assert_eq!(pictures["confusion/validation"], serde_json::json!([3, 480, 480]), "{read:#}");
}

#[test]
fn real_networks_agree_with_their_gradients_counterpart() {
    if !can_tune("real networks agree") {
        return;
    }
    let Some(shared) = shared_folder("real networks agree") else { return };
    for name in ["mobilenet-v2", "mobilenet-edgetpu", "squeezenet-1.1"] {
        let shop = Shop::with(10);
        let network = shared.join("models").join(name);
        let layers = ["--layers", if name.starts_with('s') { "all" } else { "3" }];
        let arguments = ["--json", "--no-cache", "--fine-tune", "--epochs", "1", "--views", "1"];
        let report = json(&shop.train(&[&network], &[&arguments[..], &layers].concat()));
        let agreement = &report["agreement"]["largest_difference"];
        // Pictures of one colour are far from what these networks know, and
        // their logits sums of large products; the trainer allows for that.
        assert!(agreement.as_f64() < Some(1e-3), "{name}: {agreement}");
        assert_eq!(report["tuning"]["epochs_done"].as_array().map(Vec::len), Some(2));
    }
}

/// The losses of a training's epochs.
fn losses(report: &Value) -> Vec<f64> {
    let epochs = report["tuning"]["epochs_done"].as_array().expect("epochs");
    epochs.iter().skip(1).map(|epoch| epoch["loss"].as_f64().expect("a number")).collect()
}

#[test]
fn a_teacher_is_learned_from_beside_the_labels() {
    if !can_tune("learning from a teacher") {
        return;
    }
    let shop = Shop::with(12);
    let alone = scratch(&shop, &["--epochs", "1"]);
    let strangers = shop.path("networks/tiny");
    let untaught = shop.train(
        &[],
        &["--from-scratch", "--size", "64", "--replace", "--teacher", &strangers.to_string_lossy()],
    );
    let error = complaint(&untaught);
    assert!(error.contains("the teacher tiny does not know the category Drink > Water"), "{error}");

    shop.trained(&["--replace"]);
    let teacher = shop.path("old-hand");
    fs::rename(shop.path("models/fruit"), &teacher).expect("a model folder");
    let taught =
        scratch(&shop, &["--epochs", "1", "--teacher", &teacher.to_string_lossy(), "--no-cache"]);
    let name = taught["tuning"]["teacher"].as_str().expect("a name");
    assert!(name.starts_with("old-hand "), "{name}");
    assert_ne!(losses(&alone), losses(&taught), "the teacher said nothing");
    let card = fs::read_to_string(shop.path("models/fruit/README.md")).expect("a card");
    assert!(card.contains("with the answers of old-hand"), "{card}");
}

#[test]
fn products_on_white_are_learned_from_in_other_scenes() {
    if !can_tune("learning from cluttered scenes") {
        return;
    }
    let shop = Shop::with(0);
    for (category, product) in [("Red", [200, 20, 20]), ("Blue", [20, 20, 200])] {
        for nth in 0..12 {
            let stands = |x: u32, y: u32| (8..28 + nth).contains(&x) && (12..36).contains(&y);
            let photograph = RgbImage::from_fn(48, 48, |x, y| {
                Rgb(if stands(x, y) { product } else { [255; 3] })
            });
            let mut file = Cursor::new(Vec::new());
            photograph.write_to(&mut file, ImageFormat::Png).expect("a picture");
            shop.put(&format!("{category}/{nth}.png"), file.get_ref());
        }
    }
    let plain = scratch(&shop, &["--epochs", "1"]);
    let cluttered = scratch(&shop, &["--epochs", "1", "--clutter", "1", "--replace"]);
    assert_eq!(cluttered["tuning"]["augment"]["clutter"], 1.0);
    assert_ne!(losses(&plain), losses(&cluttered), "every product stood on white");
    let refused =
        shop.train(&[], &["--from-scratch", "--size", "64", "--clutter", "1.5", "--replace"]);
    assert!(complaint(&refused).contains("shares from 0 to 1"), "{refused:?}");
}

#[test]
fn what_cannot_be_tuned_is_said_before_any_long_work() {
    if !can_tune("what cannot be tuned is said") {
        return;
    }
    let shop = Shop::with(12);
    let (tiny, other) = (shop.path("networks/tiny"), shop.other_network());
    let two: [&Path; 2] = [&tiny, &other];
    let error = complaint(&shop.train(&two, &["--fine-tune"]));
    assert!(error.contains("2 backbones were named"), "{error}");
    let error = complaint(&shop.train(&[], &["--from-scratch", "--size", "100"]));
    assert!(error.contains("64 to 224 pixels in steps of 32"), "{error}");
    let error = complaint(&shop.train(&[&tiny], &["--epochs", "3"]));
    assert!(error.contains("--fine-tune"), "{error}");
    let error = complaint(&shop.train(&[&tiny], &["--fine-tune", "--batch", "1"]));
    assert!(error.contains("at least two pictures"), "{error}");
    assert!(!shop.path("models/fruit").exists());
}
