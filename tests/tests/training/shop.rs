//! A shop with photographs in folders, and networks to learn from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use aisle_tests::pictures::{Colour, picture};
use aisle_tests::places::{files_below, repository};
use aisle_tests::service::binary;
use aisle_tests::tiny_model;
use image::ImageFormat;
use serde_json::Value;
use tempfile::TempDir;

/// The shop's own categories: other names, and another order, than the tiny
/// network's.
pub(crate) const CATEGORIES: [(&str, Colour); 3] =
    [("Fruit/Tomato", Colour::Red), ("Drink/Water", Colour::Blue), ("Fruit/Lime", Colour::Green)];

/// A folder with `data`, `networks` and `models`.
pub(crate) struct Shop {
    folder: TempDir,
}

impl Shop {
    /// So many different photographs in each category folder.
    pub(crate) fn with(photographs: u32) -> Self {
        let shop = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        for (category, colour) in CATEGORIES {
            for nth in 0..photographs {
                let bytes = picture(colour, 40 + 3 * nth, 90 - nth, ImageFormat::Png);
                shop.put(&format!("{category}/{nth}.png"), &bytes);
            }
        }
        tiny_model::write(&shop.path("networks"), "tiny").expect("a model folder");
        shop
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file of the data set.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.path("data").join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }

    /// A second network that wants its pixels normalised otherwise.
    pub(crate) fn other_network(&self) -> PathBuf {
        let folder = tiny_model::write(&self.path("networks"), "other").expect("a model folder");
        self.preprocess(&folder, |steps| {
            steps["image_mean"] = serde_json::json!([0.4, 0.5, 0.6]);
            steps["image_std"] = serde_json::json!([0.2, 0.3, 0.4]);
        });
        folder
    }

    pub(crate) fn preprocess(&self, model: &Path, change: impl FnOnce(&mut Value)) {
        let file = model.join("preprocessor_config.json");
        let text = fs::read(&file).expect("a file");
        let mut steps = serde_json::from_slice(&text).expect("JSON");
        change(&mut steps);
        fs::write(file, steps.to_string()).expect("a file");
    }

    /// `aisle train` of the shop's data on these networks.
    pub(crate) fn train(&self, networks: &[&Path], arguments: &[&str]) -> Output {
        run(&mut self.command(networks, arguments))
    }

    /// The same, not run yet.
    pub(crate) fn command(&self, networks: &[&Path], arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.arg("train").arg("--data").arg(self.path("data"));
        command.arg("--out").arg(self.path("models/fruit"));
        for network in networks {
            command.arg("--backbone").arg(network);
        }
        command.args(arguments).current_dir(repository());
        command
    }

    /// `aisle train` on the tiny network, which must go well: the report.
    pub(crate) fn trained(&self, arguments: &[&str]) -> Value {
        let arguments = [&["--json"], arguments].concat();
        json(&self.train(&[&self.path("networks/tiny")], &arguments))
    }
}

/// Copies a model folder.
pub(crate) fn copy(from: &Path, to: &Path) {
    for file in files_below(from) {
        let target = to.join(file.strip_prefix(from).expect("a file below"));
        fs::create_dir_all(target.parent().expect("a folder")).expect("a folder");
        fs::copy(&file, target).expect("a copy");
    }
}

/// Runs the program from the repository, where the library is found.
pub(crate) fn run(command: &mut Command) -> Output {
    command.current_dir(repository()).output().expect("the program runs")
}

/// The JSON that a program printed.
pub(crate) fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", complaint(output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// What a program had to complain about.
pub(crate) fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
