//! The models folder as the sub-commands need it, and what to say where it
//! is not set.

use std::path::PathBuf;

use anyhow::Context;

use crate::settings::Settings;

/// How to get a model, in one line.
const NO_MODELS: &str = "there is no model to run: download a Hugging Face image-classification \
    model with ONNX weights (`hf download OWNER/NAME --local-dir models/NAME`) and set \
    AISLE_MODELS=models";

impl Settings {
    /// The folder of model folders.
    ///
    /// # Errors
    /// When it is not set: how to get a model.
    pub(crate) fn models_folder(&self) -> anyhow::Result<PathBuf> {
        self.models.clone().context(NO_MODELS)
    }
}
