//! The model folder of a compact network with random weights: what learning
//! from scratch begins with.

use std::fs;
use std::path::{Path, PathBuf};

use aisle_train::onnx::compact;
use aisle_train::random::generator;
use rand_distr::{Distribution as _, StandardNormal};
use serde_json::json;

use crate::{Compact, TuneError};

/// Sides that halve four times and leave enough to tell things apart.
const SIZES: [u32; 6] = [64, 96, 128, 160, 192, 224];

/// Refuses a size that the network cannot have.
pub(crate) fn check(network: Compact) -> Result<(), TuneError> {
    if SIZES.contains(&network.size) { Ok(()) } else { Err(TuneError::Size(network.size)) }
}

/// Writes the folder below another and returns where it lies.
pub(crate) fn write(below: &Path, network: Compact, seed: u64) -> Result<PathBuf, TuneError> {
    let Compact { size } = network;
    let folder = below.join("compact");
    fs::create_dir_all(&folder).map_err(TuneError::file(&folder))?;
    let mut random = generator(seed, "weights", [0, 0]);
    let graph = compact(size, &mut || StandardNormal.sample(&mut random));
    // Its own categories mean nothing: they are replaced with the head.
    let config = json!({
        "architectures": ["ImageClassification"],
        "num_labels": 1,
        "id2label": { "0": "nothing" },
    });
    let steps = json!({
        "image_processor_type": "ViTImageProcessor",
        "do_resize": true,
        // A product fills its photograph: nothing of it is cut away.
        "size": { "height": size, "width": size },
        "resample": 2,
        "do_center_crop": false,
        "do_rescale": true,
        "rescale_factor": 1.0 / 255.0,
        "do_normalize": true,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.25, 0.25, 0.25],
    });
    let files = [
        ("model.onnx", graph),
        ("config.json", config.to_string().into_bytes()),
        ("preprocessor_config.json", steps.to_string().into_bytes()),
    ];
    for (name, content) in files {
        let path = folder.join(name);
        fs::write(&path, content).map_err(TuneError::file(&path))?;
    }
    Ok(folder)
}
