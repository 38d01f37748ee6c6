//! A model that is ready: its folder, its network and the stages around it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use aisle_shared::domain::{
    Classification, ErrorCode, ImageInfo, ItemError, ModelCard, StageTimings,
};
use ort::environment::Environment;
use sha2::{Digest, Sha256};

use crate::error::WorkerError;
use crate::model::ModelFolder;
use crate::postprocess::{Postprocessor, Ranking};
use crate::preprocess::Preprocessor;
use crate::session::{PRECISION, Session, SessionError, SessionSettings};

/// Everything of a model but its network; shared between threads.
#[derive(Debug, Clone)]
pub(crate) struct LoadedModel {
    card: Arc<ModelCard>,
    preprocessor: Arc<Preprocessor>,
    postprocessor: Arc<Postprocessor>,
    answer_digest: [u8; 32],
}

impl LoadedModel {
    /// Loads a folder's network and warms it up.
    pub(crate) fn load(
        environment: &Environment,
        folder: ModelFolder,
        settings: SessionSettings,
    ) -> Result<(Self, Network), WorkerError> {
        let session = Session::load(environment, &folder, settings)
            .map_err(|source| WorkerError::Session { model: folder.name.clone(), source })?;
        let postprocessor = Postprocessor::new(&folder);
        let preprocessor = Preprocessor::new(&folder.preprocessing);
        let card = ModelCard {
            name: folder.name,
            version: folder.version,
            labels: folder.taxonomy.labels().to_vec(),
            input_size: preprocessor.output_size(),
            activation: folder.activation,
            provider: settings.provider.as_str().to_owned(),
            precision: PRECISION.to_owned(),
        };
        let answer_digest = answer_digest(&card);
        let model = Self {
            card: Arc::new(card),
            preprocessor: Arc::new(preprocessor),
            postprocessor: Arc::new(postprocessor),
            answer_digest,
        };
        Ok((model, Network { session }))
    }

    /// The model as it is announced.
    pub(crate) fn card(&self) -> &ModelCard {
        &self.card
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

/// A model's network, which belongs to one thread. A failing batch is run
/// again one by one, so that an image's fault stays its own.
#[derive(Debug)]
pub(crate) struct Network {
    session: Session,
}

impl Network {
    pub(crate) fn batch_sizes(&self) -> &[usize] {
        self.session.batch_sizes()
    }

    /// The largest batch that this many images fill, at least 1.
    pub(crate) fn largest_batch(&self, images: usize) -> usize {
        let sizes = self.batch_sizes();
        sizes.iter().copied().rfind(|size| *size <= images).unwrap_or(1)
    }

    /// Each image's logits.
    pub(crate) fn run(&mut self, images: &[&[f32]]) -> Vec<Result<Vec<f32>, ItemError>> {
        match self.try_run(images) {
            Ok(logits) => logits.into_iter().map(Ok).collect(),
            Err(error) if images.len() <= 1 => {
                images.iter().map(|_| Err(item_error(&error))).collect()
            }
            Err(error) => {
                tracing::warn!(%error, images = images.len(), "a batch failed and is run one by one");
                images.iter().map(|image| self.run_one(image)).collect()
            }
        }
    }

    fn run_one(&mut self, image: &[f32]) -> Result<Vec<f32>, ItemError> {
        let logits = self.try_run(&[image]).map_err(|error| item_error(&error))?;
        Ok(logits.into_iter().next().unwrap_or_default())
    }

    fn try_run(&mut self, images: &[&[f32]]) -> Result<Vec<Vec<f32>>, SessionError> {
        catch_unwind(AssertUnwindSafe(|| self.session.run(images)))
            .unwrap_or_else(|_| Err(SessionError::Output("the run panicked".to_owned())))
    }
}

fn item_error(error: &SessionError) -> ItemError {
    ItemError::new(ErrorCode::InferenceFailed, format!("the network failed: {error}"))
}
