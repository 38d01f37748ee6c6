//! The stage that decodes and preprocesses, on as many threads as there are
//! processors, whatever the number of models.

use std::sync::Arc;
use std::time::Instant;

use aisle_shared::domain::{ImageInfo, ItemError, StageTimings};
use aisle_shared::image_probe::ImageLimits;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::ending::{Ended, Ending};
use super::fetch::Fetched;
use super::metrics::Metrics;
use super::work::Work;
use crate::loaded::LoadedModel;
use crate::stage::milliseconds;

/// Decodes and preprocesses; shared by all models.
#[derive(Debug, Clone)]
pub(super) struct Prepare {
    pub(super) processors: Arc<Semaphore>,
    pub(super) limits: Arc<ImageLimits>,
    pub(super) shutdown: CancellationToken,
}

/// An item with its tensor.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) work: Work,
    pub(super) tensor: Vec<f32>,
    pub(super) image: ImageInfo,
    pub(super) timings: StageTimings,
    /// Since when it waits for the network.
    pub(super) since: Instant,
}

type Tensor = (Vec<f32>, ImageInfo, StageTimings);

impl Prepare {
    pub(super) async fn run(
        &self,
        fetched: Fetched,
        model: &LoadedModel,
        metrics: &Metrics,
    ) -> Result<Prepared, Box<Ended>> {
        let Fetched { work, bytes, fetch_ms } = fetched;
        let processor = Arc::clone(&self.processors).acquire_owned().await;
        let work = work.still_wanted()?;
        if self.shutdown.is_cancelled() {
            return Err(Ended::new(work, Ending::Release));
        }
        let (model, metrics) = (model.clone(), metrics.clone());
        let limits = Arc::clone(&self.limits);
        let tensor = tokio::task::spawn_blocking(move || {
            let tensor = tensor(&bytes, &model, &limits, &metrics);
            drop(processor);
            tensor
        });
        match tensor.await {
            Ok(Ok((tensor, image, timings))) => {
                let timings = StageTimings { fetch_ms, ..timings };
                Ok(Prepared { work, tensor, image, timings, since: Instant::now() })
            }
            Ok(Err(error)) => Err(Ended::failed(work, error)),
            Err(error) => {
                tracing::error!(%error, "preprocessing ended badly");
                Err(Ended::internal(work, "preprocessing failed"))
            }
        }
    }
}

fn tensor(
    bytes: &[u8],
    model: &LoadedModel,
    limits: &ImageLimits,
    metrics: &Metrics,
) -> Result<Tensor, ItemError> {
    let start = Instant::now();
    let decoded = crate::decode::decode(bytes, limits)?;
    metrics.decoded(start.elapsed());
    let decode_ms = milliseconds(start);
    let start = Instant::now();
    let tensor = model.preprocessor().run(&decoded.pixels);
    metrics.preprocessed(start.elapsed());
    let preprocess_ms = milliseconds(start);
    let timings = StageTimings { decode_ms, preprocess_ms, ..StageTimings::default() };
    Ok((tensor, decoded.info, timings))
}
