//! The values of a network for images that are ready, without a queue and
//! without a ranking: what a trainer learns from, by the very code that serves.

use std::path::Path;

use aisle_shared::domain::ModelName;

use crate::error::WorkerError;
use crate::model::ModelFolder;
use crate::plan::Plan;
use crate::runtime::environment;
use crate::session::{Session, SessionError, SessionSettings};

/// A network, or a part of one, ready to run. Belongs to one thread.
#[derive(Debug)]
pub struct Extractor {
    model: ModelName,
    session: Session,
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
        Self::new(&folder.name, session)
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
        Self::new(model, session)
    }

    fn new(model: &ModelName, session: Result<Session, SessionError>) -> Result<Self, WorkerError> {
        let fault = |source| WorkerError::Session { model: model.clone(), source };
        Ok(Self { model: model.clone(), session: session.map_err(fault)? })
    }

    /// Values for each image.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.session.width()
    }

    /// The values of each image. An image has three channels of height times
    /// width values; there may be any number of images.
    ///
    /// # Errors
    /// When the network fails.
    pub fn run(&mut self, images: &[&[f32]]) -> Result<Vec<Vec<f32>>, WorkerError> {
        let mut values = Vec::with_capacity(images.len());
        let mut rest = images;
        while !rest.is_empty() {
            let sizes = self.session.batch_sizes();
            let batch = sizes.iter().copied().rfind(|size| *size <= rest.len()).unwrap_or(1);
            let (now, later) = rest.split_at(batch);
            let model = &self.model;
            let fault = |source| WorkerError::Session { model: model.clone(), source };
            values.extend(self.session.run(now).map_err(fault)?);
            rest = later;
        }
        Ok(values)
    }
}
