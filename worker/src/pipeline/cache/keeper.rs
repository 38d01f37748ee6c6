//! Keeps answers in the store, many in one call, and beside the items' own
//! way: nothing waits for it, and what it cannot keep up with is not kept.

use std::sync::Arc;
use std::time::Duration;

use aisle_shared::store::{
    CacheKey, CacheLimits, MAX_CACHED_BYTES, MAX_CACHED_PER_CALL, Store, StoreError,
};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::answer::Answer;
use super::flights::Flight;

/// Answers that wait to be kept at most.
const QUEUE: usize = 2 * MAX_CACHED_PER_CALL;

/// How long keeping may take.
const WITHIN: Duration = Duration::from_secs(2);

/// An answer on its way into the store. Its flight ends when it is there, so
/// that there is no gap in which the same picture would be answered again.
#[derive(Debug)]
struct Kept {
    flight: Flight,
    entry: Vec<u8>,
}

/// Hands answers to the store.
#[derive(Debug, Clone)]
pub(in crate::pipeline) struct Keeper(mpsc::Sender<Kept>);

impl Keeper {
    pub(super) fn start(store: Arc<dyn Store>, limits: CacheLimits, tasks: &TaskTracker) -> Self {
        let (sender, kept) = mpsc::channel(QUEUE);
        tasks.spawn(run(store, limits, kept));
        Self(sender)
    }

    /// Tells an answer to those who wait for it, and keeps it for those who
    /// come later.
    pub(in crate::pipeline) fn keep(&self, flight: Flight, answer: Answer) {
        let entry = answer.encode(flight.key());
        flight.land(&Arc::new(answer));
        let Some(entry) = entry.filter(|entry| entry.len() <= MAX_CACHED_BYTES) else { return };
        if self.0.try_send(Kept { flight, entry }).is_err() {
            tracing::debug!("an answer is not kept: too many wait to be");
        }
    }
}

async fn run(store: Arc<dyn Store>, limits: CacheLimits, mut waiting: mpsc::Receiver<Kept>) {
    let mut kept = Vec::with_capacity(MAX_CACHED_PER_CALL);
    while waiting.recv_many(&mut kept, MAX_CACHED_PER_CALL).await > 0 {
        let (flights, entries): (Vec<Flight>, Vec<(CacheKey, Vec<u8>)>) = kept
            .drain(..)
            .map(|Kept { flight, entry }| {
                let key = *flight.key();
                (flight, (key, entry))
            })
            .unzip();
        let remembered = tokio::time::timeout(WITHIN, store.remember(&entries, limits)).await;
        let remembered =
            remembered.unwrap_or_else(|_| Err(StoreError::unavailable("no answer in time")));
        if let Err(error) = remembered {
            tracing::warn!(%error, answers = entries.len(), "answers are not kept");
        }
        drop(flights);
    }
}
