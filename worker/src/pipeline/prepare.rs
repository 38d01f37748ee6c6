//! The stage that decodes and preprocesses, as many images at once as there
//! are processors, whatever the number of models.

use std::sync::Arc;
use std::time::Instant;

use aisle_shared::domain::{ImageInfo, StageTimings};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::ending::{Ended, Ending};
use super::fetch::Fetched;
use super::metrics::Metrics;
use super::work::Work;
use crate::decoder::{Decoder, Refusal};
use crate::loaded::LoadedModel;
use crate::stage::in_milliseconds;

/// Decodes and preprocesses; shared by all models.
#[derive(Debug, Clone)]
pub(super) struct Prepare {
    pub(super) processors: Arc<Semaphore>,
    pub(super) decoder: Arc<Decoder>,
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
        let decoder = Arc::clone(&self.decoder);
        let tensor = tokio::task::spawn_blocking(move || {
            let tensor = tensor(&bytes, &model, &decoder, &metrics);
            drop(processor);
            tensor
        });
        match tensor.await {
            Ok(Ok((tensor, image, timings))) => {
                let timings = StageTimings { fetch_ms, ..timings };
                Ok(Prepared { work, tensor, image, timings, since: Instant::now() })
            }
            Ok(Err(Refusal::Image(error))) => Err(Ended::failed(work, error)),
            // Not begun: another worker may have decoders.
            Ok(Err(Refusal::Unavailable(_))) => Err(Ended::new(work, Ending::Release)),
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
    decoder: &Decoder,
    metrics: &Metrics,
) -> Result<Tensor, Refusal> {
    let framed = decoder.frame(bytes, model.preprocessor().framing())?;
    let start = Instant::now();
    let tensor = model.preprocessor().tensor(&framed.pixels);
    let preprocessing = framed.resizing + start.elapsed();
    metrics.decoded(framed.decoding);
    metrics.preprocessed(preprocessing);
    let timings = StageTimings {
        decode_ms: in_milliseconds(framed.decoding),
        preprocess_ms: in_milliseconds(preprocessing),
        ..StageTimings::default()
    };
    Ok((tensor, framed.info, timings))
}
