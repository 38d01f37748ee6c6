//! Tells the store what this worker serves: that is what the API lists and
//! holds submissions against. One whose decoders cannot be started is not
//! announced, and so not counted on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aisle_shared::domain::{ModelName, WorkerCard};
use aisle_shared::store::Store;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::decoder::Decoder;

/// How long an announcement holds.
const TTL: Duration = Duration::from_secs(15);

/// Between two tries of the first announcement.
const RETRY: Duration = Duration::from_secs(1);

/// Between two announcements: short, because a store that was emptied refuses
/// submissions until the next.
const EVERY: Duration = Duration::from_secs(2);

/// What is to be told.
#[derive(Debug, Clone)]
pub(super) struct News {
    pub(super) card: WorkerCard,
    /// Models whose folders were taken away since the worker began.
    pub(super) withdrawn: BTreeSet<ModelName>,
}

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

/// Announces until told to stop, and at once when there is news.
pub(super) async fn run(
    store: Arc<dyn Store>,
    mut news: watch::Receiver<News>,
    decoder: Arc<Decoder>,
    stop: CancellationToken,
) {
    let mut ticks = tokio::time::interval(EVERY);
    // Of the models that were withdrawn, those of which the store knows.
    let mut told = BTreeSet::new();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            Ok(()) = news.changed() => {}
            () = stop.cancelled() => return,
        }
        let News { card, withdrawn } = news.borrow_and_update().clone();
        let decoder = Arc::clone(&decoder);
        let looked = tokio::task::spawn_blocking(move || decoder.look_again()).await;
        if let Ok(Err(error)) = looked {
            tracing::error!(worker = %card.id, %error, "the worker is not ready");
            continue;
        }
        if let Err(error) = store.announce(&card, TTL).await {
            tracing::warn!(worker = %card.id, %error, "the worker is not announced");
            continue;
        }
        told.retain(|model| withdrawn.contains(model));
        // After the announcement, which would bring them back.
        for model in withdrawn {
            if told.contains(&model) {
                continue;
            }
            match store.withdraw(&card.id, &model).await {
                Ok(()) => drop(told.insert(model)),
                Err(error) => tracing::warn!(%model, %error, "the model is not withdrawn yet"),
            }
        }
    }
}
