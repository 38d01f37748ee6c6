//! The stage that decodes and preprocesses, as many images at once as there
//! are processors, whatever the number of models.

use std::panic::{AssertUnwindSafe, catch_unwind};
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
    /// Makes an item's tensor and hands it over, on the thread that made it: the
    /// network need not wait until another has been woken.
    pub(super) async fn run(
        &self,
        fetched: Fetched,
        model: &LoadedModel,
        metrics: &Metrics,
        hand_over: impl FnOnce(Prepared) -> Result<(), Box<Ended>> + Send + 'static,
    ) -> Result<(), Box<Ended>> {
        let Fetched { work, bytes, fetch_ms } = fetched;
        let processor = Arc::clone(&self.processors).acquire_owned().await;
        let work = work.still_wanted()?;
        if self.shutdown.is_cancelled() {
            return Err(Ended::new(work, Ending::Release));
        }
        let (model, metrics) = (model.clone(), metrics.clone());
        let decoder = Arc::clone(&self.decoder);
        let handed_over = tokio::task::spawn_blocking(move || {
            // An item must not be lost with a thread that panics.
            let made =
                catch_unwind(AssertUnwindSafe(|| tensor(&bytes, &model, &decoder, &metrics)));
            drop(processor);
            match made {
                Ok(Ok((tensor, image, timings))) => {
                    let timings = StageTimings { fetch_ms, ..timings };
                    hand_over(Prepared { work, tensor, image, timings, since: Instant::now() })
                }
                Ok(Err(Refusal::Image(error))) => Err(Ended::failed(work, error)),
                // Not begun: another worker may have decoders.
                Ok(Err(Refusal::Unavailable(_))) => Err(Ended::new(work, Ending::Release)),
                Err(_) => {
                    tracing::error!("preprocessing ended badly");
                    Err(Ended::internal(work, "preprocessing failed"))
                }
            }
        });
        // One that never began was dropped, with a runtime that ends: its lease runs out.
        handed_over.await.unwrap_or(Ok(()))
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
