//! A model that is ready: its network and the stages around it.

use std::sync::Arc;

use aisle_shared::domain::{Classification, ImageInfo, ModelCard, StageTimings};
use ort::environment::Environment;
use sha2::{Digest, Sha256};

use crate::error::WorkerError;
use crate::model::ModelFolder;
use crate::network::{Network, Replica};
use crate::plan::Plan;
use crate::postprocess::{Postprocessor, Ranking};
use crate::preprocess::Preprocessor;
use crate::session::{Session, SessionError, SessionSettings};

/// What is loaded of a plan with several sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of them, which share each batch.
    All,
    /// What answers at once; each of the sessions is [`LoadedModel::replica`].
    One,
}

/// Everything of a model but its network; shared between threads.
#[derive(Debug, Clone)]
pub(crate) struct LoadedModel {
    card: Arc<ModelCard>,
    preprocessor: Arc<Preprocessor>,
    postprocessor: Arc<Postprocessor>,
    answer_digest: [u8; 32],
    folder: Arc<ModelFolder>,
    plan: Arc<Plan>,
    /// A digest of the folder's variants, where one of them may be chosen.
    variants: Option<Arc<str>>,
}

impl LoadedModel {
    /// Loads a folder's network as a plan says, and warms it up.
    pub(crate) fn load(
        environment: &Environment,
        folder: ModelFolder,
        plan: &Plan,
        settings: &SessionSettings,
        extent: Extent,
    ) -> Result<(Self, Network), WorkerError> {
        let opened = Arc::new(folder.clone());
        let folder = chosen(folder, plan)?;
        let network = match extent {
            Extent::All => Network::load(environment, &folder, plan, settings),
            Extent::One => Network::load_one(environment, &folder, plan, settings),
        };
        let network = network
            .map_err(|source| WorkerError::Session { model: folder.name.clone(), source })?;
        let postprocessor = Postprocessor::new(&folder);
        let preprocessor = Preprocessor::new(&folder.preprocessing);
        let card = ModelCard {
            name: folder.name,
            version: folder.version,
            labels: folder.taxonomy.labels().to_vec(),
            input_size: preprocessor.output_size(),
            activation: folder.activation,
            provider: plan.provider.as_str().to_owned(),
            precision: plan.arithmetic().to_owned(),
            accept: folder.accept,
            trouble: None,
        };
        let answer_digest = answer_digest(&card);
        let model = Self {
            card: Arc::new(card),
            preprocessor: Arc::new(preprocessor),
            postprocessor: Arc::new(postprocessor),
            answer_digest,
            folder: opened,
            plan: Arc::new(plan.clone()),
            variants: None,
        };
        Ok((model, network))
    }

    /// Loads one of its plan's sessions. It is wanted because images wait, so it
    /// runs them, and nothing to warm up.
    pub(crate) fn replica(
        &self,
        environment: &Environment,
        settings: &SessionSettings,
    ) -> Result<Replica, WorkerError> {
        let Self { folder, plan, .. } = self;
        let folder = chosen(ModelFolder::clone(folder), plan)?;
        Session::load_cold(environment, &folder, plan, &settings.of_part(plan))
            .map(Replica::new)
            .map_err(|source| WorkerError::Session { model: folder.name, source })
    }

    /// The model as it is announced.
    pub(crate) fn card(&self) -> &ModelCard {
        &self.card
    }

    /// Its folder as it was opened.
    pub(crate) fn folder(&self) -> &ModelFolder {
        &self.folder
    }

    /// The same, chosen among variants with that digest.
    pub(crate) fn among(self, variants: Option<String>) -> Self {
        Self { variants: variants.map(Arc::from), ..self }
    }

    /// A digest of the variants that it was chosen among.
    pub(crate) fn variants(&self) -> Option<&str> {
        self.variants.as_deref()
    }

    /// How its network is run.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(crate) fn preprocessor(&self) -> &Preprocessor {
        &self.preprocessor
    }

    pub(crate) fn postprocessor(&self) -> &Postprocessor {
        &self.postprocessor
    }

    /// A digest of all that its answers depend on, but for the image: an answer
    /// that was kept under another is never given.
    pub(crate) const fn answer_digest(&self) -> &[u8; 32] {
        &self.answer_digest
    }

    /// An item's answer.
    pub(crate) fn classification(
        &self,
        ranking: Ranking,
        batch_size: u32,
        image: ImageInfo,
        timings: StageTimings,
    ) -> Classification {
        Classification {
            predictions: ranking.predictions,
            levels: ranking.levels,
            decision: ranking.decision,
            model: self.card.name.clone(),
            model_version: self.card.version.clone(),
            provider: self.card.provider.clone(),
            precision: self.card.precision.clone(),
            batch_size,
            cached: false,
            image,
            timings,
        }
    }
}

/// The folder with the network that a plan runs.
fn chosen(folder: ModelFolder, plan: &Plan) -> Result<ModelFolder, WorkerError> {
    let Some(wanted) = &plan.variant else { return Ok(folder) };
    let variant = folder.variants()?.into_iter().find(|each| each.name == *wanted);
    let Some(variant) = variant else {
        let source = SessionError::Variant(wanted.clone());
        return Err(WorkerError::Session { model: folder.name, source });
    };
    Ok(folder.with(variant)?)
}

/// The model's files, what runs its network and how, the library and this
/// program, whose releases may decode or resize a pixel otherwise.
fn answer_digest(card: &ModelCard) -> [u8; 32] {
    let ModelCard { version, provider, precision, .. } = card;
    let parts =
        [env!("CARGO_PKG_VERSION"), ort::info(), version.as_str(), provider.as_str(), precision];
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
        hasher.update([0]);
    }
    hasher.finalize().into()
}
