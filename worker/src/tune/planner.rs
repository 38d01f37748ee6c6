//! How each model is to be run: as the operator says, as is remembered, or as
//! trials say now.

use std::num::NonZeroUsize;
use std::path::Path;

use ort::environment::Environment;

use super::TuningSettings;
use super::child::tune;
use super::record::{Key, Record, Wanted};
use crate::error::WorkerError;
use crate::loaded::{Extent, LoadedModel};
use crate::model::{FolderError, ModelFolder};
use crate::network::Network;
use crate::plan::{Plan, ProviderChoice};
use crate::session::SessionSettings;

/// Why no choice was made for a model.
#[derive(Debug, thiserror::Error)]
pub enum TuneError {
    /// Its folder cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Trials cannot be made.
    #[error("no way to run it can be tried: {0}")]
    Impossible(String),
}

/// The choice that is remembered for a model, if it still holds.
///
/// # Errors
/// When the model folder cannot be read.
pub fn remembered(folder: &Path, wanted: Wanted<'_>) -> Result<Option<Record>, FolderError> {
    Ok(Record::read(folder, &wanted.folder.name, &Key::of(wanted)?))
}

/// Loads models the way that they are to be run.
pub(crate) struct Planner<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) library: &'a Path,
    pub(crate) choice: ProviderChoice,
    pub(crate) tuning: &'a TuningSettings,
    pub(crate) threads: NonZeroUsize,
    pub(crate) max_batch: NonZeroUsize,
    pub(crate) use_of: Use,
}

/// What a network is loaded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Images of which many are at hand at once.
    Lists,
    /// Images that come by and by, by as many sessions as are good.
    Serving,
    /// The same, in as little memory as can be.
    Saving,
}

impl Planner<'_> {
    /// Loads a model. A choice that is remembered and cannot be loaded is
    /// made anew: the library or a device may have gone.
    ///
    /// # Errors
    /// When what the operator named cannot be had, or nothing can.
    pub(crate) fn load(&self, folder: ModelFolder) -> Result<(LoadedModel, Network), WorkerError> {
        let name = folder.name.clone();
        if let ProviderChoice::Named(provider, precision) = self.choice {
            return self.load_as(folder, &Plan::plain(provider, precision, self.threads));
        }
        let wanted = Wanted {
            folder: &folder,
            library: self.library,
            threads: self.threads,
            max_batch: self.max_batch,
        };
        if let Some(record) = remembered(&self.tuning.folder, wanted)? {
            match self.load_as(folder.clone(), &record.chosen) {
                Ok(loaded) => {
                    tracing::info!(model = %name, chosen = %record.chosen, "remembered");
                    return Ok(loaded);
                }
                Err(error) => {
                    let chosen = &record.chosen;
                    tracing::warn!(model = %name, %chosen, %error, "the remembered choice fails");
                }
            }
        }
        let tuned = tune(self.tuning, wanted);
        let record = tuned.map_err(|source| WorkerError::Untuned { model: name, source })?;
        self.load_as(folder, &record.chosen)
    }

    fn load_as(
        &self,
        folder: ModelFolder,
        plan: &Plan,
    ) -> Result<(LoadedModel, Network), WorkerError> {
        let engines = Some(self.tuning.engines());
        let settings = SessionSettings { max_batch: self.max_batch, engines };
        let (plan, extent) = match self.use_of {
            Use::Lists => (plan.clone(), Extent::All),
            Use::Serving => (plan.clone().served(folder.network_bytes()?), Extent::One),
            Use::Saving => (plan.in_one(), Extent::One),
        };
        LoadedModel::load(self.environment, folder, &plan, &settings, extent)
    }
}
