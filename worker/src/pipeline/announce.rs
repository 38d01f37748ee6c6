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

/// Between two tries of the first announcement.
const RETRY: Duration = Duration::from_secs(1);

/// Between two announcements: short, because a store that was emptied refuses
/// submissions until the next.
const EVERY: Duration = Duration::from_secs(2);

/// Announces for the first time, as often as it takes. Tells whether it was
/// done before the worker was asked to stop.
pub(super) async fn first(store: &dyn Store, card: &WorkerCard, stop: &CancellationToken) -> bool {
    while let Err(error) = store.announce(card, TTL).await {
        tracing::warn!(worker = %card.id, %error, "the worker cannot be announced yet");
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            () = stop.cancelled() => return false,
        }
    }
    !stop.is_cancelled()
}

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
                let decoder = Arc::clone(&decoder);
                let looked = tokio::task::spawn_blocking(move || decoder.look_again()).await;
                if let Ok(Err(error)) = looked {
                    tracing::error!(worker = %card.id, %error, "the worker is not ready");
                } else if let Err(error) = store.announce(&card, TTL).await {
                    tracing::warn!(worker = %card.id, %error, "the worker is not announced");
                }
            }
            () = stop.cancelled() => return,
        }
    }
}
