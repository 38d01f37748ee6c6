//! Housekeeping that any process may run, at any time, more than one at once.
//!
//! What must never happen: the bytes of an item that has not ended removed, a
//! failure that ends the loop, a log line for each failure of a long outage.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::blob::{BlobError, BlobStore};
use crate::domain::{JobId, Timestamp};
use crate::store::{Reaped, Store, StoreError, Swept};
use crate::telemetry::names;

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
            tracing::warn!(job = %item.job, %item, "an item was taken back from a worker that stopped answering");
        }
        for item in &reaped.dead {
            tracing::error!(job = %item.job, %item, "an item is a dead letter: its workers stopped answering");
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
        tokio::join!(
            self.repeat(Step::Reap, &shutdown),
            self.repeat(Step::Sweep, &shutdown),
            self.repeat(Step::Orphans, &shutdown),
        );
    }

    async fn repeat(&self, step: Step, shutdown: &CancellationToken) {
        let mut streak = Streak { step, failures: 0 };
        while !shutdown.is_cancelled() {
            let pause = streak.pause_after(&self.take(step).await);
            // Whether the time is up or the process stops, the loop sees.
            let _ = tokio::time::timeout(pause, shutdown.cancelled()).await;
        }
    }

    async fn take(&self, step: Step) -> Result<Pace, UpkeepError> {
        match step {
            Step::Reap => Ok(pace(taken_back(&self.step_reap().await?))),
            Step::Sweep => {
                let Swept { expired, aborted } = self.step_sweep().await?;
                Ok(pace(expired.len() + aborted.len()))
            }
            Step::Orphans => self.step_orphans().await.map(|_| Pace::Rest),
        }
    }
}

impl std::fmt::Debug for Upkeep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upkeep").finish_non_exhaustive()
    }
}

/// What is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Reap,
    Sweep,
    Orphans,
}

impl Step {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Reap => "reap",
            Self::Sweep => "sweep",
            Self::Orphans => "orphans",
        }
    }

    const fn period(self) -> Duration {
        match self {
            Self::Reap => Duration::from_secs(1),
            Self::Sweep => Duration::from_secs(10),
            Self::Orphans => Duration::from_secs(60),
        }
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

/// A step's failures in a row.
#[derive(Debug)]
struct Streak {
    step: Step,
    failures: u32,
}

impl Streak {
    /// How long to rest after a round: no time while there is more to do,
    /// twice as long with each failure. Of the failures in a row the first is
    /// logged, and the success that ends them.
    fn pause_after(&mut self, round: &Result<Pace, UpkeepError>) -> Duration {
        let Self { step, failures } = self;
        let (name, period) = (step.as_str(), step.period());
        match round {
            Ok(pace) => {
                if *failures > 0 {
                    tracing::info!(step = name, failures, "upkeep works again");
                }
                *failures = 0;
                let now = Duration::from_millis(Timestamp::now().0).as_secs_f64();
                metrics::gauge!(names::UPKEEP_LAST_SUCCESS_TIMESTAMP_SECONDS, "step" => name)
                    .set(now);
                match pace {
                    Pace::Again => Duration::ZERO,
                    Pace::Rest => period,
                }
            }
            Err(error) => {
                if *failures == 0 {
                    tracing::warn!(step = name, %error, "upkeep failed and is tried again");
                }
                metrics::counter!(names::UPKEEP_ERRORS_TOTAL, "step" => name).increment(1);
                *failures = failures.saturating_add(1);
                let doubled = period.saturating_mul(2_u32.saturating_pow(*failures));
                doubled.min(MAX_PAUSE).max(period)
            }
        }
    }
}

#[cfg(test)]
mod tests;
