//! The values of a network for images that are ready, without a queue and
//! without a ranking: what a trainer learns from, by the very code that serves.

use std::num::NonZeroUsize;
use std::path::Path;

use aisle_shared::domain::ModelName;

use crate::error::WorkerError;
use crate::model::ModelFolder;
use crate::network::Network;
use crate::plan::{Plan, ProviderChoice};
use crate::runtime::environment;
use crate::session::{Session, SessionError, SessionSettings};
use crate::tune::{Planner, TuningSettings, Use};

/// A network, or a part of one, ready to run. Belongs to one thread.
#[derive(Debug)]
pub struct Extractor {
    model: ModelName,
    runner: Runner,
    width: usize,
    way: [String; 2],
}

/// What runs images.
#[derive(Debug)]
enum Runner {
    One(Session),
    /// As serving runs a model: maybe in several sessions.
    Served(Network),
}

/// A graph that is in memory, and what is wanted of it.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// Whose part it is, to name it in errors.
    pub model: &'a ModelName,
    /// An ONNX model.
    pub graph: &'a [u8],
    /// The output that is wanted.
    pub output: &'a str,
    /// Height and width of an image.
    pub size: [u32; 2],
}

impl Extractor {
    /// A model folder's network in one session: its values are the logits, as
    /// in serving. A plan's variant is not looked at.
    ///
    /// # Errors
    /// When ONNX Runtime or the network cannot be used.
    pub fn of_model(
        library: &Path,
        folder: &ModelFolder,
        plan: &Plan,
        settings: &SessionSettings,
    ) -> Result<Self, WorkerError> {
        let session = Session::load(&environment(library)?, folder, plan, settings);
        Self::new(&folder.name, plan, session)
    }

    /// A model folder's network as a worker with `provider = "auto"` runs it:
    /// in the way that was found to be the fastest. It is looked for now where
    /// none is remembered.
    ///
    /// # Errors
    /// When ONNX Runtime or the network cannot be used.
    pub fn as_tuned(
        library: &Path,
        folder: &ModelFolder,
        tuning: &TuningSettings,
        threads: NonZeroUsize,
        max_batch: NonZeroUsize,
    ) -> Result<Self, WorkerError> {
        let environment = &environment(library)?;
        let choice = ProviderChoice::Auto;
        let use_of = Use::Lists;
        let planner = Planner { environment, library, choice, tuning, threads, max_batch, use_of };
        let (model, network) = planner.load(folder.clone())?;
        let card = model.card();
        Ok(Self {
            model: folder.name.clone(),
            runner: Runner::Served(network),
            width: card.labels.len(),
            way: [card.provider.clone(), card.precision.clone()],
        })
    }

    /// A graph that is in memory.
    ///
    /// # Errors
    /// When ONNX Runtime or the graph cannot be used.
    pub fn of_part(
        library: &Path,
        part: Part<'_>,
        plan: &Plan,
        settings: &SessionSettings,
    ) -> Result<Self, WorkerError> {
        let Part { model, graph, output, size } = part;
        let session =
            Session::load_part(&environment(library)?, graph, output, size, plan, settings);
        Self::new(model, plan, session)
    }

    fn new(
        model: &ModelName,
        plan: &Plan,
        session: Result<Session, SessionError>,
    ) -> Result<Self, WorkerError> {
        let fault = |source| WorkerError::Session { model: model.clone(), source };
        let session = session.map_err(fault)?;
        let way = [plan.provider.as_str(), plan.arithmetic()].map(str::to_owned);
        let (model, width) = (model.clone(), session.width());
        Ok(Self { model, runner: Runner::One(session), width, way })
    }

    /// Values for each image.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Where it runs and in which arithmetic or variant, as a worker writes
    /// beside its results.
    #[must_use]
    pub const fn way(&self) -> &[String; 2] {
        &self.way
    }

    /// The values of each image. An image has three channels of height times
    /// width values; there may be any number of images.
    ///
    /// # Errors
    /// When the network fails.
    pub fn run(&mut self, images: &[&[f32]]) -> Result<Vec<Vec<f32>>, WorkerError> {
        let Self { model, runner, .. } = self;
        let mut values = Vec::with_capacity(images.len());
        let mut rest = images;
        while !rest.is_empty() {
            let sizes = match runner {
                Runner::One(session) => session.batch_sizes(),
                Runner::Served(network) => network.batch_sizes(),
            };
            let batch = sizes.iter().copied().rfind(|size| *size <= rest.len()).unwrap_or(1);
            let (now, later) = rest.split_at(batch);
            let found = match runner {
                Runner::One(session) => session.run(now),
                Runner::Served(network) => network.try_run(now),
            };
            let fault = |source| WorkerError::Session { model: model.clone(), source };
            values.extend(found.map_err(fault)?);
            rest = later;
        }
        Ok(values)
    }
}
