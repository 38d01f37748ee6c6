//! Model folders, which are downloaded from anyone.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use aisle_worker::model::ModelFolder;
use aisle_worker::preprocess::Preprocessor;
use image::RgbImage;
use tempfile::TempDir;

/// The longest side that a folder may ask for.
const MAX_SIDE: u32 = 4_096;

/// The longest side that is worth running here.
const WORTH_RUNNING: u32 = 256;

static FOLDER: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    // Memory where there is some, because each input is written.
    let root = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let root = root.expect("a temporary folder");
    let folder = root.path().join("model");
    fs::create_dir(&folder).expect("a model folder");
    fs::write(folder.join("model.onnx"), "network").expect("a network");
    (root, folder)
});

/// `config.json`, a NUL, `preprocessor_config.json`, a NUL, `aisle.json`; a
/// part that is left out is no file. A folder that opens can preprocess any
/// image.
///
/// # Panics
/// When it cannot.
pub fn model_folder(bytes: &[u8]) {
    let folder = &FOLDER.1;
    let mut parts = bytes.splitn(3, |byte| *byte == 0);
    for name in ["config.json", "preprocessor_config.json", "aisle.json"] {
        let file = folder.join(name);
        match parts.next() {
            Some(part) => fs::write(&file, part).expect("a file written"),
            None if file.exists() => fs::remove_file(&file).expect("a file removed"),
            None => {}
        }
    }
    let model = match ModelFolder::open(folder) {
        Ok(model) => model,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert!(!model.taxonomy.labels().is_empty());
    assert!(model.temperature.is_finite() && model.temperature > 0.0);
    let preprocessor = Preprocessor::new(&model.preprocessing);
    let [height, width] = preprocessor.output_size();
    assert!(height > 0 && width > 0 && height.max(width) <= MAX_SIDE, "{height} × {width}");
    if height.max(width) > WORTH_RUNNING {
        return;
    }
    for (width, height) in [(1, 1), (7, 5), (3, 90)] {
        let tensor = preprocessor.run(&RgbImage::new(width, height));
        assert_eq!(tensor.len(), preprocessor.tensor_len());
    }
}
