//! Tells the store what this worker serves: that is what the API lists and
//! holds submissions against. One whose decoders cannot be started is not
//! announced, and so not counted on.

use std::sync::Arc;
use std::time::Duration;

use aisle_shared::domain::WorkerCard;
use aisle_shared::store::Store;
use tokio_util::sync::CancellationToken;

use crate::decoder::Decoder;

/// How long an announcement holds.
const TTL: Duration = Duration::from_secs(15);

/// Between two announcements.
const EVERY: Duration = Duration::from_secs(5);

/// Announces until told to stop.
pub(super) async fn run(
    store: Arc<dyn Store>,
    card: WorkerCard,
    decoder: Arc<Decoder>,
    stop: CancellationToken,
) {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                if let Some(trouble) = decoder.trouble() {
                    tracing::error!(%trouble, "the worker is not ready");
                } else if let Err(error) = store.announce(&card, TTL).await {
                    tracing::warn!(%error, "the worker is not announced");
                }
            }
            () = stop.cancelled() => return,
        }
    }
}
