//! Housekeeping that any process may run, at any time, more than one at once.
//!
//! What must never happen: the bytes of an item that has not ended removed, a
//! failure that ends the loop, a log line for each failure of a long outage.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::blob::{BlobError, BlobStore};
use crate::domain::JobId;
use crate::store::{Reaped, Store, StoreError, Swept};
use crate::telemetry::names;

const REAP_PERIOD: Duration = Duration::from_secs(1);
const SWEEP_PERIOD: Duration = Duration::from_secs(10);
const ORPHANS_PERIOD: Duration = Duration::from_secs(60);

/// The longest pause between attempts while they fail, unless the step's own
/// period is longer. Short, because dead workers' items wait for it.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// Leases, jobs or orphans that one step takes on.
const LIMIT: usize = 100;

/// Why a step of upkeep was not done. It may have been done in part; the next
/// one takes up what is left.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The blob store did not do its part.
    #[error(transparent)]
    Blobs(#[from] BlobError),
}

/// Takes back what dead workers held, forgets what is past its retention,
/// and removes bytes that belong to nothing.
#[derive(Clone)]
pub struct Upkeep {
    /// The store to keep in order.
    pub store: Arc<dyn Store>,
    /// The bytes of its items.
    pub blobs: Arc<dyn BlobStore>,
}

impl Upkeep {
    /// Takes expired leases back. The bytes of items that ended canceled go;
    /// those of dead letters stay as long as their job.
    ///
    /// # Errors
    /// When the store or the blob store did not answer.
    pub async fn step_reap(&self) -> Result<Reaped, UpkeepError> {
        let reaped = self.store.reap(LIMIT).await?;
        count(names::LEASES_EXPIRED_TOTAL, taken_back(&reaped));
        count(names::DEAD_LETTER_TOTAL, reaped.dead.len());
        for item in &reaped.requeued {
            tracing::warn!(%item, "an item was taken back from a worker that stopped answering");
        }
        for item in &reaped.dead {
            tracing::error!(%item, "an item is a dead letter: its workers stopped answering");
        }
        if !reaped.canceled.is_empty() {
            self.blobs.delete(&reaped.canceled).await?;
        }
        Ok(reaped)
    }

    /// Forgets jobs past their retention and large jobs never completed, and
    /// removes their bytes. Bytes that cannot be removed now are orphans, and
    /// go with [`Self::step_orphans`].
    ///
    /// # Errors
    /// When the store or the blob store did not answer.
    pub async fn step_sweep(&self) -> Result<Swept, UpkeepError> {
        let swept = self.store.sweep(LIMIT).await?;
        count(names::JOBS_EXPIRED_TOTAL, swept.expired.len());
        count(names::JOBS_ABORTED_TOTAL, swept.aborted.len());
        for (job, _) in &swept.aborted {
            tracing::warn!(%job, "a job was given up: it was never completed by its submitter");
        }
        self.delete_jobs(swept.expired.iter().chain(&swept.aborted).copied()).await?;
        Ok(swept)
    }

    /// Removes bytes that have waited too long for a job that never came, and
    /// tells whose they were.
    ///
    /// # Errors
    /// When the store or the blob store did not answer.
    pub async fn step_orphans(&self) -> Result<Vec<JobId>, UpkeepError> {
        let aged = self.blobs.aged_jobs(LIMIT).await?;
        if aged.is_empty() {
            return Ok(aged);
        }
        let existing = self.store.existing(&aged).await?;
        let orphans: Vec<_> = aged.into_iter().filter(|job| !existing.contains(job)).collect();
        // How many items they were to have, nobody knows any more; where jobs
        // can be orphans, they are removed whole.
        self.delete_jobs(orphans.iter().map(|job| (*job, 0))).await?;
        count(names::ORPHANS_REMOVED_TOTAL, orphans.len());
        Ok(orphans)
    }

    /// Removes the bytes of every job, of those behind one that fails too.
    async fn delete_jobs(&self, jobs: impl Iterator<Item = (JobId, u32)>) -> Result<(), BlobError> {
        let mut done = Ok(());
        for (job, items) in jobs {
            done = done.and(self.blobs.delete_job(job, items).await);
        }
        done
    }

    /// Repeats all steps until told to stop. A step under way is finished.
    pub async fn run(self, shutdown: CancellationToken) {
        let this = &self;
        tokio::join!(
            repeat("reap", REAP_PERIOD, &shutdown, || async move {
                Ok(pace(taken_back(&this.step_reap().await?)))
            }),
            repeat("sweep", SWEEP_PERIOD, &shutdown, || async move {
                let Swept { expired, aborted } = this.step_sweep().await?;
                Ok(pace(expired.len() + aborted.len()))
            }),
            repeat("orphans", ORPHANS_PERIOD, &shutdown, || async move {
                this.step_orphans().await.map(|_| Pace::Rest)
            }),
        );
    }
}

impl std::fmt::Debug for Upkeep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upkeep").finish_non_exhaustive()
    }
}

/// Whether a step left work behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// It did as much as it may: there may be more.
    Again,
    /// Nothing is left.
    Rest,
}

const fn pace(done: usize) -> Pace {
    if done < LIMIT { Pace::Rest } else { Pace::Again }
}

fn taken_back(Reaped { requeued, dead, canceled }: &Reaped) -> usize {
    requeued.len() + dead.len() + canceled.len()
}

fn count(name: &'static str, events: usize) {
    if events > 0 {
        metrics::counter!(name).increment(events as u64);
    }
}

/// Repeats a step. The first failure of a row is logged, and the success
/// that ends it.
async fn repeat<F>(
    step_name: &'static str,
    period: Duration,
    shutdown: &CancellationToken,
    step: impl Fn() -> F,
) where
    F: Future<Output = Result<Pace, UpkeepError>>,
{
    let mut failures = 0_u32;
    while !shutdown.is_cancelled() {
        let pause = match step().await {
            Ok(pace) => {
                if failures > 0 {
                    tracing::info!(step = step_name, failures, "upkeep works again");
                }
                failures = 0;
                match pace {
                    Pace::Again => Duration::ZERO,
                    Pace::Rest => period,
                }
            }
            Err(error) => {
                if failures == 0 {
                    tracing::warn!(step = step_name, %error, "upkeep failed, and is tried again");
                }
                metrics::counter!(names::UPKEEP_ERRORS_TOTAL, "step" => step_name).increment(1);
                failures = failures.saturating_add(1);
                pause_after(failures, period)
            }
        };
        // Whether the time is up or the process stops, the loop sees.
        let _ = tokio::time::timeout(pause, shutdown.cancelled()).await;
    }
}

/// The pause after so many failures in a row: doubled with each.
fn pause_after(failures: u32, period: Duration) -> Duration {
    period.saturating_mul(2_u32.saturating_pow(failures)).min(MAX_PAUSE).max(period)
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
