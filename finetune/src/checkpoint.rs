//! Where a training stands after an epoch, in a safetensors file: weights,
//! their running average, the optimiser's moments, the statistics of
//! normalisations, the best so far, and what each epoch brought. Whoever reads
//! it goes on as if never stopped.
//!
//! Figures lie in a tensor too: as text they would lose their last bit.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use aisle_shared::domain::ModelName;
use aisle_train::road::tuning::Epoch;
use burn::optim::{AdamWState, AdaptiveMomentumState};
use burn::tensor::{Device, Tensor};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::TuneError;
use crate::learner::Learner;
use crate::network::{tensor, values};

const FILE: &str = "checkpoint.safetensors";
/// What the file's metadata calls the digest of all that was chosen.
const DIGEST: &str = "digest";
const STEPS: &str = "steps";
/// Figures of an epoch.
const FIGURES: usize = 6;

/// The weights of the best epoch so far.
#[derive(Debug, Clone)]
pub(crate) struct Best {
    pub(crate) average: Vec<Tensor<1>>,
    pub(crate) statistics: Vec<(String, Tensor<1>)>,
}

/// The place where a training is kept until it has ended.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    folder: PathBuf,
    model: ModelName,
}

impl Checkpoint {
    /// The place for a model: hidden beside its folder, so that no worker takes
    /// it for a model.
    pub(crate) fn beside(
        model_folder: &Path,
        model: &ModelName,
        restart: bool,
    ) -> Result<Self, TuneError> {
        let folder = model_folder.with_file_name(format!(".{model}.training"));
        if restart && folder.exists() {
            fs::remove_dir_all(&folder).map_err(TuneError::file(&folder))?;
        }
        fs::create_dir_all(&folder).map_err(TuneError::file(&folder))?;
        Ok(Self { folder, model: model.clone() })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Forgets the training: its model is in its place.
    pub(crate) fn remove(&self) -> Result<(), TuneError> {
        fs::remove_dir_all(&self.folder).map_err(TuneError::file(&self.folder))
    }

    /// Leaves nothing behind of a training that has not come to its first
    /// checkpoint.
    pub(crate) fn tidy(&self) {
        if !self.folder.join(FILE).exists() {
            // What cannot be removed now is removed by the next training.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }

    /// Writes where the training stands, in place of what was there.
    pub(crate) fn write(
        &self,
        digest: &str,
        learner: &Learner,
        done: &[Epoch],
        best: &Best,
    ) -> Result<(), TuneError> {
        let mut all: Vec<(String, Vec<f32>)> = Vec::new();
        let names = &learner.weights.names;
        for (nth, name) in names.iter().enumerate() {
            let mut add = |kind: &str, tensor: Option<&Tensor<1>>| -> Result<(), TuneError> {
                if let Some(tensor) = tensor {
                    all.push((format!("{kind}/{name}"), values(tensor.clone())?));
                }
                Ok(())
            };
            let moments = learner.moments.get(nth).and_then(Option::as_ref);
            let moments = moments.map(|state| &state.momentum);
            add("weight", learner.weights.tensors.get(nth))?;
            add("average", learner.average.get(nth))?;
            add("moment-1", moments.map(|moments| &moments.moment_1))?;
            add("moment-2", moments.map(|moments| &moments.moment_2))?;
            add("best", best.average.get(nth))?;
        }
        let now = learner.statistics();
        for (kind, statistics) in [("statistic", &now), ("best-statistic", &best.statistics)] {
            for (name, tensor) in statistics {
                all.push((format!("{kind}/{name}"), values(tensor.clone())?));
            }
        }
        let bytes: Vec<(String, Vec<u8>)> = (all.into_iter())
            .map(|(name, values)| {
                (name, values.iter().flat_map(|value| value.to_le_bytes()).collect())
            })
            .collect();
        let figures: Vec<u8> = done.iter().flat_map(figures).flat_map(f64::to_le_bytes).collect();
        let view = |dtype, shape, data| {
            TensorView::new(dtype, shape, data).map_err(|error| self.fault(&error))
        };
        let mut views = vec![(
            "epochs".to_owned(),
            view(Dtype::F64, vec![done.len(), FIGURES], figures.as_slice())?,
        )];
        for (name, data) in &bytes {
            views.push((name.clone(), view(Dtype::F32, vec![data.len() / 4], data)?));
        }
        let metadata = [(DIGEST, digest.to_owned()), (STEPS, learner.steps.to_string())];
        let metadata = metadata.map(|(name, text)| (name.to_owned(), text));
        let file = safetensors::serialize(views, Some(HashMap::from(metadata)));
        self.replace(&file.map_err(|error| self.fault(&error))?)
    }

    fn replace(&self, content: &[u8]) -> Result<(), TuneError> {
        let path = self.folder.join(FILE);
        let new = path.with_extension("new");
        let written = File::create(&new).and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&new, &path)
        });
        written.map_err(TuneError::file(&new))
    }

    /// Puts a learner where a training stood that was stopped, if one was: what
    /// its epochs brought, and the best of them.
    pub(crate) fn read(
        &self,
        digest: &str,
        learner: &mut Learner,
        device: &Device,
    ) -> Result<Option<(Vec<Epoch>, Best)>, TuneError> {
        let path = self.folder.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = fs::read(&path).map_err(TuneError::file(&path))?;
        let fault = |error| self.fault(&error);
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(fault)?;
        let file = SafeTensors::deserialize(&bytes).map_err(fault)?;
        let said = |name: &str| header.metadata().as_ref().and_then(|all| all.get(name));
        if said(DIGEST).map(String::as_str) != Some(digest) {
            return Err(TuneError::Other { path: self.folder.clone(), model: self.model.clone() });
        }
        let steps: Option<usize> = said(STEPS).and_then(|steps| steps.parse().ok());
        learner.steps = steps.ok_or_else(|| self.fault(&"it does not say its steps"))?;
        let read = |kind: &str, name: &str| {
            let view = file.tensor(&format!("{kind}/{name}")).ok()?;
            let (chunks, _) = view.data().as_chunks::<4>();
            let values: Vec<f32> = chunks.iter().map(|four| f32::from_le_bytes(*four)).collect();
            Some(tensor(&values, device))
        };
        let need = |kind: &str, name: &str| {
            read(kind, name).ok_or_else(|| self.fault(&format!("{kind}/{name} is missing")))
        };
        let time = learner.steps;
        let mut best = Vec::new();
        for (nth, name) in learner.weights.names.iter().enumerate() {
            let places = (
                learner.weights.tensors.get_mut(nth),
                learner.average.get_mut(nth),
                learner.moments.get_mut(nth),
            );
            if let (Some(weight), Some(average), Some(moments)) = places {
                *weight = need("weight", name)?;
                *average = need("average", name)?;
                *moments = read("moment-1", name)
                    .zip(read("moment-2", name))
                    .map(|(one, two)| AdamWState::new(AdaptiveMomentumState::new(time, one, two)));
            }
            best.push(need("best", name)?);
        }
        let mut statistics = Vec::new();
        for name in learner.upper.statistics() {
            learner.upper.keep(&name, need("statistic", &name)?);
            statistics.push((name.clone(), need("best-statistic", &name)?));
        }
        let epochs = file.tensor("epochs").map_err(fault)?;
        let (chunks, _) = epochs.data().as_chunks::<8>();
        let numbers: Vec<f64> = chunks.iter().map(|eight| f64::from_le_bytes(*eight)).collect();
        let (rows, _) = numbers.as_chunks::<FIGURES>();
        Ok(Some((rows.iter().map(epoch).collect(), Best { average: best, statistics })))
    }

    fn fault(&self, what: &impl std::fmt::Display) -> TuneError {
        TuneError::Checkpoint { path: self.folder.join(FILE), what: what.to_string() }
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are far fewer than 2^52 epochs")]
const fn figures(epoch: &Epoch) -> [f64; FIGURES] {
    let Epoch { epoch, learning_rate, loss, train_top_1, log_loss, top_1 } = *epoch;
    [epoch as f64, learning_rate, loss, train_top_1, log_loss, top_1]
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number of an epoch, which was a whole number"
)]
const fn epoch(figures: &[f64; FIGURES]) -> Epoch {
    let [epoch, learning_rate, loss, train_top_1, log_loss, top_1] = *figures;
    Epoch { epoch: epoch as usize, learning_rate, loss, train_top_1, log_loss, top_1 }
}
