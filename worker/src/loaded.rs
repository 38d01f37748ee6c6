//! A model that is ready: its network and the stages around it.

use std::sync::Arc;

use aisle_shared::domain::{Classification, ImageInfo, ModelCard, StageTimings};
use ort::environment::Environment;

use crate::error::WorkerError;
use crate::model::ModelFolder;
use crate::network::Network;
use crate::plan::Plan;
use crate::postprocess::{Postprocessor, Ranking};
use crate::preprocess::Preprocessor;
use crate::session::{SessionError, SessionSettings};

/// Everything of a model but its network; shared between threads.
#[derive(Debug, Clone)]
pub(crate) struct LoadedModel {
    card: Arc<ModelCard>,
    preprocessor: Arc<Preprocessor>,
    postprocessor: Arc<Postprocessor>,
}

impl LoadedModel {
    /// Loads a folder's network as a plan says, and warms it up.
    pub(crate) fn load(
        environment: &Environment,
        folder: ModelFolder,
        plan: &Plan,
        settings: &SessionSettings,
    ) -> Result<(Self, Network), WorkerError> {
        let name = folder.name.clone();
        let unusable = |source| WorkerError::Session { model: name.clone(), source };
        let folder = match &plan.variant {
            None => folder,
            Some(wanted) => {
                let variant = folder.variants()?.into_iter().find(|each| each.name == *wanted);
                let missing = || unusable(SessionError::Variant(wanted.clone()));
                folder.with(variant.ok_or_else(missing)?)?
            }
        };
        let network = Network::load(environment, &folder, plan, settings).map_err(unusable)?;
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
        };
        let model = Self {
            card: Arc::new(card),
            preprocessor: Arc::new(preprocessor),
            postprocessor: Arc::new(postprocessor),
        };
        Ok((model, network))
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
            image,
            timings,
        }
    }
}
