//! Looks answers up in the store, for all pictures that wait for one in one
//! call: while a call is under way, the next gathers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aisle_shared::store::{CacheKey, MAX_CACHED_PER_CALL, Store, StoreError};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::pipeline::metrics;

/// How long a look-up may take: one that costs more than the network would is
/// of no use.
const WITHIN: Duration = Duration::from_millis(500);

/// What there is for a key.
#[derive(Debug)]
pub(super) enum Found {
    Entry(Vec<u8>),
    Nothing,
    /// The store did not say in time.
    NoAnswer,
}

#[derive(Debug)]
struct Asked {
    key: CacheKey,
    reply: oneshot::Sender<Found>,
}

/// Asks the store.
#[derive(Debug, Clone)]
pub(super) struct Lookups(mpsc::Sender<Asked>);

impl Lookups {
    pub(super) fn start(store: Arc<dyn Store>, tasks: &TaskTracker) -> Self {
        let (sender, asked) = mpsc::channel(MAX_CACHED_PER_CALL);
        tasks.spawn(run(store, asked));
        Self(sender)
    }

    pub(super) async fn ask(&self, key: CacheKey) -> Found {
        let (reply, answer) = oneshot::channel();
        if self.0.send(Asked { key, reply }).await.is_err() {
            return Found::NoAnswer;
        }
        answer.await.unwrap_or(Found::NoAnswer)
    }
}

async fn run(store: Arc<dyn Store>, mut waiting: mpsc::Receiver<Asked>) {
    let mut asked = Vec::with_capacity(MAX_CACHED_PER_CALL);
    while waiting.recv_many(&mut asked, MAX_CACHED_PER_CALL).await > 0 {
        let keys: Vec<CacheKey> = asked.iter().map(|asked| asked.key).collect();
        let start = Instant::now();
        let recalled = tokio::time::timeout(WITHIN, store.recall(&keys)).await;
        metrics::recalled(start.elapsed());
        match recalled.unwrap_or_else(|_| Err(StoreError::unavailable("no answer in time"))) {
            Ok(entries) => {
                for (asked, entry) in asked.drain(..).zip(entries) {
                    // Who has left on the way wants no answer.
                    drop(asked.reply.send(entry.map_or(Found::Nothing, Found::Entry)));
                }
            }
            Err(error) => {
                tracing::warn!(%error, pictures = keys.len(), "nothing is looked up in the cache");
                // Their senders go, and that is their answer.
                asked.clear();
            }
        }
    }
}
