//! The sign of life: renews every lease held, and learns which items are
//! lost or canceled.

use std::sync::Arc;
use std::time::Duration;

use aisle_shared::domain::WorkerId;
use aisle_shared::store::{MAX_ITEMS_PER_CALL, Store};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::held::Held;

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
        let mut ticks = tokio::time::interval(self.lease / 3);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.beat().await,
                () = stop.cancelled() => return,
            }
        }
    }

    async fn beat(&self) {
        for leases in self.held.renewable(self.item_deadline).chunks(MAX_ITEMS_PER_CALL) {
            match self.store.extend(leases, self.lease).await {
                Ok(extended) => {
                    for item in &extended.lost {
                        let (job, worker) = (item.job, &self.worker);
                        tracing::warn!(%job, %item, %worker, "an item is another worker's by now");
                    }
                    self.held.learn(leases, &extended);
                }
                Err(error) => {
                    let (items, worker) = (leases.len(), &self.worker);
                    tracing::warn!(%worker, %error, items, "no lease is renewed");
                }
            }
        }
    }
}
