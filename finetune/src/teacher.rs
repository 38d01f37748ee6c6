//! Another model that says how much each picture looks like each category, as
//! Hinton et al. 2015, "Distilling the Knowledge in a Neural Network": it knows
//! that a boot is nearly a shoe, which a label does not say.

use std::path::Path;

use aisle_train::dataset::{Category, Picture};
use aisle_train::features::{FeatureError, Machine, Network, extract};
use aisle_train::head::scores;
use aisle_train::watch::Watcher;
use aisle_worker::model::ModelFolder;
use aisle_worker::preprocess::Framing;
use ndarray::Array2;

use crate::TuneError;

/// A model folder that teaches.
#[derive(Debug)]
pub(crate) struct Teacher {
    folder: ModelFolder,
    /// Its output for each category that is learned.
    outputs: Vec<usize>,
}

impl Teacher {
    /// A model that knows all of these categories; it may know others.
    pub(crate) fn open(path: &Path, categories: &[Category]) -> Result<Self, TuneError> {
        let folder = ModelFolder::open(path).map_err(FeatureError::from)?;
        let paths = folder.taxonomy.paths();
        let output = |category: &Category| {
            let known = paths.iter().position(|path| path.as_slice() == category.parts());
            known.ok_or_else(|| TuneError::Teacher {
                model: folder.name.clone(),
                category: category.to_string(),
            })
        };
        let outputs = categories.iter().map(output).collect::<Result<_, _>>()?;
        Ok(Self { folder, outputs })
    }

    /// Its name, and a digest of its folder.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.folder.name, self.folder.version)
    }

    /// The share that each category has in each picture: `[N, categories]`,
    /// each row of which sums to 1.
    pub(crate) fn shares(
        &self,
        pictures: &[Picture],
        machine: &Machine,
        watcher: &dyn Watcher,
    ) -> Result<Array2<f64>, TuneError> {
        let framing = Framing::of(&self.folder.preprocessing);
        let mut networks = [Network::of_model(&self.folder, machine)?];
        let answers = extract(pictures, &mut networks, &framing, machine, watcher)?;
        let logits = answers.of_known()?.select(ndarray::Axis(1), &self.outputs);
        Ok(scores(&logits.view(), f64::from(self.folder.temperature)))
    }
}
