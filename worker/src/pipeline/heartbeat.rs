//! The sign of life: renews every lease held, and learns which items are
//! lost or canceled.

use std::sync::Arc;
use std::time::Duration;

use aisle_shared::domain::WorkerId;
use aisle_shared::store::{MAX_ITEMS_PER_CALL, Store};
use tokio_util::sync::CancellationToken;

use super::held::Held;

/// Between two beats while the store does not answer. It does not wait for
/// the next third of a lease: once the store is back, whoever is first decides
/// whether leases that ran out meanwhile are renewed or taken back.
const RETRY: Duration = Duration::from_millis(500);

/// Renews leases.
pub(super) struct Heartbeat {
    pub(super) worker: WorkerId,
    pub(super) store: Arc<dyn Store>,
    pub(super) held: Arc<Held>,
    pub(super) lease: Duration,
    pub(super) item_deadline: Duration,
}

impl Heartbeat {
    /// Beats three times a lease until told to stop.
    pub(super) async fn run(self, stop: CancellationToken) {
        loop {
            let third = self.lease / 3;
            let pause = if self.beat().await { third } else { third.min(RETRY) };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Whether the store answered.
    async fn beat(&self) -> bool {
        let mut answered = true;
        for leases in self.held.renewable(self.item_deadline).chunks(MAX_ITEMS_PER_CALL) {
            match self.store.extend(leases, self.lease).await {
                Ok(extended) => {
                    for item in self.held.learn(leases, &extended) {
                        let (job, worker) = (item.job, &self.worker);
                        tracing::warn!(%job, %item, %worker, "an item is another worker's by now");
                    }
                }
                Err(error) => {
                    answered = false;
                    let (items, worker) = (leases.len(), &self.worker);
                    tracing::warn!(%worker, %error, items, "no lease is renewed");
                }
            }
        }
        answered
    }
}
