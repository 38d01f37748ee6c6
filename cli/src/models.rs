//! The models folder as the sub-commands need it, and what to say where it
//! is not set.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::settings::Settings;

/// Where models are looked for when nothing is set: in the working folder.
const USUAL: &str = "models";

/// How to get a model, in one line.
const NO_MODELS: &str = "there is no model to run: download a Hugging Face image-classification \
    model with ONNX weights (`hf download OWNER/NAME --local-dir models/NAME`) and set \
    AISLE_MODELS=models";

impl Settings {
    /// The folder of model folders: the one that is set, else `models` in the
    /// working folder.
    ///
    /// # Errors
    /// When there is neither: how to get a model.
    pub(crate) fn models_folder(&self) -> anyhow::Result<PathBuf> {
        let usual = || Some(Path::new(USUAL)).filter(|folder| folder.is_dir());
        self.models.clone().or_else(|| usual().map(Path::to_owned)).context(NO_MODELS)
    }
}
