//! What waits for a model that was taken away: it ends with a clear error, so that
//! no job waits for ever.
//!
//! What must never happen: an item ended so because the workers that serve its
//! model start anew, or the store was read at a bad moment. So a model counts as
//! taken away only when nobody has announced it for a while of this worker's own.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aisle_shared::blob::BlobStore;
use aisle_shared::domain::{
    ErrorCode, ItemError, ItemOutcome, ItemRef, ItemSource, ModelName, WorkerId,
};
use aisle_shared::store::{ClaimRequest, Claimed, Lease, Recorded, Store, StoreError};
use tokio_util::sync::CancellationToken;

use super::metrics;

/// Items that one call ends at most.
const MAX: usize = 100;

/// Ends what waits for models that were taken away.
pub(super) struct Forsaken {
    pub(super) worker: WorkerId,
    pub(super) store: Arc<dyn Store>,
    pub(super) blobs: Arc<dyn BlobStore>,
    pub(super) lease: Duration,
    /// Between two looks.
    pub(super) every: Duration,
    /// How long nobody may have announced a model.
    pub(super) patience: Duration,
}

impl Forsaken {
    /// Looks until told to stop.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut since = HashMap::new();
        let mut ticks = tokio::time::interval(self.every);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => return,
            }
            if let Err(error) = self.step(&mut since).await {
                tracing::warn!(%error, "nobody looks after items of models that were taken away");
            }
        }
    }

    async fn step(&self, since: &mut HashMap<ModelName, Instant>) -> Result<(), StoreError> {
        let stats = self.store.stats().await?;
        if stats.lanes.is_empty() {
            since.clear();
            return Ok(());
        }
        // Read after the items, because a model is announced before items come.
        let announced = self.store.models().await?;
        let unknown = |model: &ModelName| announced.iter().all(|known| known.card.name != *model);
        let waited_for = |model: &ModelName| stats.lanes.iter().any(|lane| lane.model == *model);
        since.retain(|model, _| unknown(model) && waited_for(model));
        for lane in stats.lanes.iter().filter(|lane| unknown(&lane.model)) {
            since.entry(lane.model.clone()).or_insert_with(Instant::now);
        }
        for (model, since) in since.iter() {
            if since.elapsed() >= self.patience {
                self.end(model).await?;
            }
        }
        Ok(())
    }

    /// Ends all that waits for a model.
    async fn end(&self, model: &ModelName) -> Result<(), StoreError> {
        let request = ClaimRequest {
            worker: self.worker.clone(),
            model: model.clone(),
            max: MAX,
            lease: self.lease,
            with_content: false,
        };
        loop {
            let claimed = self.store.claim(&request).await?;
            if claimed.is_empty() {
                return Ok(());
            }
            let outcomes: Vec<(Lease, ItemOutcome)> =
                claimed.iter().map(|item| (item.lease.clone(), removed(model))).collect();
            let recorded = self.store.complete(&outcomes).await?;
            let ended = claimed.iter().zip(recorded).filter(|(_, recorded)| stored(recorded));
            let ended: Vec<&Claimed> = ended.map(|(item, _)| item).collect();
            metrics::forsaken(model, ended.len());
            tracing::error!(
                %model, items = ended.len(), "items ended because their model was taken away"
            );
            // What came along is gone with its item.
            let uploads = ended
                .iter()
                .filter(|item| item.source == ItemSource::Upload && item.content.is_none());
            let uploads: Vec<ItemRef> = uploads.map(|item| item.lease.item).collect();
            if let Err(error) = self.blobs.delete(&uploads).await {
                tracing::warn!(%error, "images of ended items are left to the sweep");
            }
        }
    }
}

fn removed(model: &ModelName) -> ItemOutcome {
    let detail = format!("the model {model} was taken away before this image's turn came");
    ItemOutcome::Failed(ItemError::new(ErrorCode::ModelRemoved, detail))
}

const fn stored(recorded: &Recorded) -> bool {
    match recorded {
        Recorded::Stored { .. } => true,
        Recorded::Gone | Recorded::Fenced => false,
    }
}

#[cfg(test)]
mod tests;
