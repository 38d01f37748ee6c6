//! Housekeeping that any process may run, at any time, more than one at once:
//! items of silent workers taken back, jobs past their retention forgotten,
//! bytes that no job needs removed.
//!
//! A store that does not answer delays the upkeep and never ends it.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::blob::{BlobError, BlobStore};
use crate::domain::JobId;
use crate::store::{Reaped, Store, StoreError, Swept};

/// Between two looks for leases that ran out: the embedded store knows dead
/// workers at once, so this bounds how long their items wait.
const REAP_EVERY: Duration = Duration::from_secs(1);
const SWEEP_EVERY: Duration = Duration::from_secs(10);
const ORPHANS_EVERY: Duration = Duration::from_secs(60);

/// What one step takes on at most.
const STEP: usize = 200;

/// Why a step was not taken to its end. It is taken again later.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The blobs could not be removed.
    #[error(transparent)]
    Blobs(#[from] BlobError),
}

/// Housekeeping over a store and its blobs.
#[derive(Clone)]
pub struct Upkeep {
    /// The jobs.
    pub store: Arc<dyn Store>,
    /// The uploads.
    pub blobs: Arc<dyn BlobStore>,
}

impl Upkeep {
    /// Keeps house until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let ticks = |every| {
            let mut ticks = interval_at(Instant::now() + every, every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        };
        let (mut reap, mut sweep) = (ticks(REAP_EVERY), ticks(SWEEP_EVERY));
        let mut orphans = ticks(ORPHANS_EVERY);
        let mut trouble = Streak::default();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = reap.tick() => trouble.note(self.step_reap().await),
                _ = sweep.tick() => trouble.note(self.step_sweep().await),
                _ = orphans.tick() => trouble.note(self.step_orphans().await),
            }
        }
    }

    /// Takes items back from workers that are dead or silent.
    ///
    /// # Errors
    /// When the store or the blobs did not answer.
    pub async fn step_reap(&self) -> Result<Reaped, UpkeepError> {
        let reaped = self.store.reap(STEP).await?;
        metrics::counter!("aisle_leases_expired_total").increment(reaped.requeued.len() as u64);
        metrics::counter!("aisle_dead_letter_total").increment(reaped.dead.len() as u64);
        for item in &reaped.dead {
            tracing::warn!(%item, "an item is given up: its workers died");
        }
        // A dead letter keeps its image, for those who look into it.
        self.blobs.delete(&reaped.canceled).await?;
        Ok(reaped)
    }

    /// Forgets jobs past their retention and large jobs never sealed.
    ///
    /// # Errors
    /// When the store or the blobs did not answer.
    pub async fn step_sweep(&self) -> Result<Swept, UpkeepError> {
        let swept = self.store.sweep(STEP).await?;
        for (reason, jobs) in [("expired", &swept.expired), ("aborted", &swept.aborted)] {
            metrics::counter!("aisle_jobs_swept_total", "reason" => reason)
                .increment(jobs.len() as u64);
        }
        for (job, items) in swept.expired.iter().chain(&swept.aborted) {
            self.blobs.delete_job(*job, *items).await?;
        }
        Ok(swept)
    }

    /// Removes bytes whose job was never written, because the API died
    /// between the two. Returns their jobs' ids.
    ///
    /// # Errors
    /// When the store or the blobs did not answer.
    pub async fn step_orphans(&self) -> Result<Vec<JobId>, UpkeepError> {
        let aged = self.blobs.aged_jobs(STEP).await?;
        let existing = self.store.existing(&aged).await?;
        let orphans: Vec<_> = aged.into_iter().filter(|job| !existing.contains(job)).collect();
        for job in &orphans {
            self.blobs.delete_job(*job, 0).await?;
        }
        Ok(orphans)
    }
}

/// Logs the first failure of a row of them, and the end of the row.
#[derive(Debug, Default)]
struct Streak {
    failures: u32,
}

impl Streak {
    fn note<T, E: Display>(&mut self, step: Result<T, E>) {
        match step {
            Ok(_) if self.failures > 0 => {
                tracing::info!(failures = self.failures, "housekeeping goes on");
                self.failures = 0;
            }
            Ok(_) => {}
            Err(error) => {
                if self.failures == 0 {
                    tracing::warn!(%error, "housekeeping waits");
                }
                self.failures = self.failures.saturating_add(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::blob::FileBlobs;
    use crate::clock::{Clock, ManualClock};
    use crate::domain::{
        ItemOutcome, ItemRef, ItemSource, JobOptions, NewItem, NewJob, Priority, TenantId,
        Timestamp, WorkerId,
    };
    use crate::store::{ClaimRequest, SqliteOptions, SqliteStore};

    const RETENTION: Duration = Duration::from_secs(60);
    const LEASE: Duration = Duration::from_secs(10);

    struct House {
        upkeep: Upkeep,
        clock: ManualClock,
        _folder: tempfile::TempDir,
    }

    impl House {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let clock = ManualClock::at(Timestamp::now());
            let store = SqliteStore::open(SqliteOptions {
                path: folder.path().join("aisle.db"),
                max_live_items: 100,
                clock: Clock::Manual(clock.clone()),
            });
            let blobs = FileBlobs::open(folder.path().join("uploads")).unwrap();
            let upkeep = Upkeep { store: Arc::new(store.unwrap()), blobs: Arc::new(blobs) };
            Self { upkeep, clock, _folder: folder }
        }

        async fn upload(&self) -> ItemRef {
            let item = ItemRef { job: JobId::generate(), index: 0 };
            self.upkeep.blobs.put(item, Bytes::from_static(b"image")).await.unwrap();
            let job = NewJob {
                id: item.job,
                tenant: TenantId::default_tenant(),
                weight: 1,
                model: "m".parse().unwrap(),
                priority: Priority::Normal,
                options: JobOptions { top_k: 1 },
                metadata: serde_json::Map::new(),
                max_attempts: 5,
                retention: RETENTION,
            };
            let upload = NewItem { source: ItemSource::Upload };
            self.upkeep.store.enqueue(&job, &[upload]).await.unwrap();
            item
        }

        async fn claim(&self) -> Vec<crate::store::Claimed> {
            let request = ClaimRequest {
                worker: WorkerId::generate(),
                model: "m".parse().unwrap(),
                max: 10,
                lease: LEASE,
            };
            self.upkeep.store.claim(&request).await.unwrap()
        }

        async fn has_blob(&self, item: ItemRef) -> bool {
            self.upkeep.blobs.get(item).await.unwrap().is_some()
        }
    }

    #[tokio::test]
    async fn a_job_past_its_retention_takes_its_blobs_along() {
        let house = House::new();
        let item = house.upload().await;
        let [claimed] = house.claim().await.try_into().unwrap();
        let ended = [(claimed.lease, ItemOutcome::Canceled)];
        house.upkeep.store.complete(&ended).await.unwrap();
        assert_eq!(house.upkeep.step_sweep().await.unwrap(), Swept::default());
        assert!(house.has_blob(item).await);
        house.clock.advance(RETENTION);
        let swept = house.upkeep.step_sweep().await.unwrap();
        assert_eq!(swept.expired, [(item.job, 1)]);
        assert!(!house.has_blob(item).await);
    }

    #[tokio::test]
    async fn a_silent_worker_loses_its_item_but_not_the_items_image() {
        let house = House::new();
        let item = house.upload().await;
        house.claim().await;
        assert_eq!(house.upkeep.step_reap().await.unwrap(), Reaped::default());
        house.clock.advance(LEASE);
        assert_eq!(house.upkeep.step_reap().await.unwrap().requeued, [item]);
        assert!(house.has_blob(item).await);
    }

    #[tokio::test]
    async fn an_item_canceled_by_the_reaper_leaves_no_image() {
        let house = House::new();
        let item = house.upload().await;
        house.claim().await;
        let tenant = TenantId::default_tenant();
        house.upkeep.store.cancel(&tenant, &item.job).await.unwrap();
        house.clock.advance(LEASE);
        assert_eq!(house.upkeep.step_reap().await.unwrap().canceled, [item]);
        assert!(!house.has_blob(item).await);
    }

    #[tokio::test]
    async fn bytes_without_a_job_are_removed_and_bytes_with_one_are_kept() {
        let house = House::new();
        let kept = house.upload().await;
        // An id of the year 2020: its upload has waited long enough.
        let orphan =
            ItemRef { job: "016f5e66-e800-7000-8000-000000000001".parse().unwrap(), index: 0 };
        house.upkeep.blobs.put(orphan, Bytes::from_static(b"image")).await.unwrap();
        assert_eq!(house.upkeep.step_orphans().await.unwrap(), [orphan.job]);
        assert!(!house.has_blob(orphan).await);
        assert!(house.has_blob(kept).await);
    }
}
