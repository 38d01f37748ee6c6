//! Models brought into memory while others are served: at a worker's start, when
//! a folder has changed, and when a network comes back that had made room.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;

use crate::decoder::Decoder;
use crate::error::WorkerError;
use crate::loaded::{Extent, LoadedModel};
use crate::memory::{Memory, Origin, Resident};
use crate::model::{FolderError, ModelFolder, Stamp};
use crate::network::{Network, Replica};
use crate::plan::ProviderChoice;
use crate::proof::prove;
use crate::runtime::environment;
use crate::session::SessionSettings;
use crate::settings::WorkerSettings;
use crate::tune::{Planner, TuningSettings, Use};

/// A model that can be served.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) model: LoadedModel,
    pub(crate) network: Resident,
}

/// Loads models as a worker's settings say. Blocks, for seconds.
#[derive(Debug)]
pub(crate) struct Loader {
    environment: Environment,
    library: PathBuf,
    choice: ProviderChoice,
    tuning: TuningSettings,
    threads: NonZeroUsize,
    max_batch: NonZeroUsize,
    decoder: Arc<Decoder>,
    memory: Memory,
}

impl Loader {
    /// One that loads nothing yet.
    ///
    /// # Errors
    /// When ONNX Runtime cannot be used.
    pub(crate) fn new(
        settings: &WorkerSettings,
        decoder: Arc<Decoder>,
    ) -> Result<Self, WorkerError> {
        Ok(Self {
            environment: environment(&settings.ort_lib)?,
            library: settings.ort_lib.clone(),
            choice: settings.provider,
            tuning: settings.tuning.clone(),
            threads: settings.threads,
            max_batch: settings.max_batch,
            decoder,
            memory: Memory::new(settings.model_memory, settings.default_model.clone()),
        })
    }

    /// Loads a model, runs each batch size once, and classifies a picture.
    ///
    /// # Errors
    /// When it cannot be served.
    pub(crate) fn load(self: &Arc<Self>, folder: ModelFolder) -> Result<Served, WorkerError> {
        let name = folder.name.clone();
        let files = folder.network_bytes()?;
        let stamp = stamp(&folder)?;
        let variants = self.variants(&folder)?;
        let load = || {
            let planner = Planner {
                environment: &self.environment,
                library: &self.library,
                choice: self.choice,
                tuning: &self.tuning,
                threads: self.threads,
                max_batch: self.max_batch,
                use_of: if self.memory.is_limited() { Use::Saving } else { Use::Serving },
            };
            let (model, mut network) = planner.load(folder)?;
            prove(&model, &mut network, &self.decoder)?;
            Ok((model.among(variants), network))
        };
        let (model, network) = self.memory.admit(&name, files, load, |model: &LoadedModel| {
            let (loader, model) = (Arc::clone(self), model.clone());
            Box::new(Files { loader, model, stamp: Mutex::new(stamp) })
        })?;
        Ok(Served { model, network })
    }

    /// Whether a folder holds what is served.
    ///
    /// # Errors
    /// When its files cannot be read.
    pub(crate) fn is_same(
        &self,
        served: &LoadedModel,
        folder: &ModelFolder,
    ) -> Result<bool, WorkerError> {
        if served.folder().version != folder.version {
            return Ok(false);
        }
        Ok(served.variants() == self.variants(folder)?.as_deref())
    }

    /// A digest of the variants that a network can be chosen among.
    fn variants(&self, folder: &ModelFolder) -> Result<Option<String>, FolderError> {
        match self.choice {
            ProviderChoice::Named(..) => Ok(None),
            ProviderChoice::Auto => folder.digest_of_variants().map(Some),
        }
    }
}

/// The files that a model was loaded from.
#[derive(Debug)]
struct Files {
    loader: Arc<Loader>,
    model: LoadedModel,
    /// As they are known to be those of the model.
    stamp: Mutex<Stamp>,
}

impl Files {
    /// Their stamp, if they are those of the model still.
    fn check(&self) -> Result<Stamp, WorkerError> {
        let folder = self.model.folder();
        let mut known = self.stamp.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamp(folder)?;
        if now != *known {
            if ModelFolder::open(&folder.path)?.version != folder.version {
                return Err(self.changed());
            }
            *known = now.clone();
        }
        Ok(now)
    }

    /// Loads something from them: files that change while they are read could be
    /// of two versions.
    fn unchanged<T>(
        &self,
        load: impl FnOnce(&Loader, &LoadedModel, &SessionSettings) -> Result<T, WorkerError>,
    ) -> Result<T, WorkerError> {
        let Self { loader, model, .. } = self;
        let before = self.check()?;
        let engines = Some(loader.tuning.engines());
        let settings = SessionSettings { max_batch: loader.max_batch, engines };
        let loaded = load(loader, model, &settings)?;
        let same = stamp(model.folder())? == before;
        same.then_some(loaded).ok_or_else(|| self.changed())
    }

    fn changed(&self) -> WorkerError {
        WorkerError::Changed(self.model.folder().name.clone())
    }
}

impl Origin for Files {
    fn is_there(&self) -> bool {
        self.check().is_ok()
    }

    fn load(&self) -> Result<Network, WorkerError> {
        self.unchanged(|loader, model, settings| {
            let environment = &loader.environment;
            let folder = model.folder().clone();
            let (again, network) =
                LoadedModel::load(environment, folder, model.plan(), settings, Extent::One)?;
            let same = again.card().version == model.card().version;
            same.then_some(network).ok_or_else(|| self.changed())
        })
    }

    fn replica(&self) -> Result<Replica, WorkerError> {
        self.unchanged(|loader, model, settings| model.replica(&loader.environment, settings))
    }
}

fn stamp(folder: &ModelFolder) -> Result<Stamp, FolderError> {
    Stamp::of(&folder.path).map_err(|source| FolderError::unreadable(&folder.path, source))
}
