//! The one exit: writes how items ended, many in one call.
//!
//! A store that does not answer is asked again and again: an outcome is given
//! up only when the worker itself is told to, and then the lease runs out and
//! another worker does the item anew. The store fences what comes too late.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aisle_shared::blob::BlobStore;
use aisle_shared::domain::{ErrorCode, ItemError, ItemOutcome, ItemRef, JobStatus};
use aisle_shared::store::{Lease, Recorded, Retried, Store, StoreError};
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ending::{Ended, Ending};
use super::metrics;
use super::work::Work;
use crate::settings::Backoff;

/// Items that one call records at most.
const MAX_BATCH: usize = 128;

/// Between two calls to a store that does not answer: short, because all
/// that was done waits for it once the store is back.
const TROUBLE: Backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(1) };

/// Writes endings; one for all models.
pub(super) struct Recorder {
    pub(super) store: Arc<dyn Store>,
    pub(super) blobs: Arc<dyn BlobStore>,
    /// When a store that does not answer is no longer asked.
    pub(super) give_up: CancellationToken,
    /// Images being removed, which no ending waits for.
    pub(super) removals: TaskTracker,
}

/// The endings of a batch, by what is written.
#[derive(Default)]
struct Sorted {
    outcomes: Vec<(Work, ItemOutcome)>,
    retries: Vec<(Work, Duration, ItemError)>,
    releases: Vec<Work>,
}

impl Recorder {
    /// Records until every stage before has ended.
    pub(super) async fn run(self, mut ended: Receiver<Ended>) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        while ended.recv_many(&mut batch, MAX_BATCH).await > 0 {
            self.record(batch.drain(..)).await;
        }
        self.removals.close();
        self.removals.wait().await;
    }

    async fn record(&self, batch: impl Iterator<Item = Ended>) {
        let Sorted { outcomes, retries, releases } = sorted(batch);
        let mut blobs = Vec::new();
        if !outcomes.is_empty() {
            self.complete(outcomes, &mut blobs).await;
        }
        for (work, after, error) in retries {
            self.retry(work, after, &error, &mut blobs).await;
        }
        if !releases.is_empty() {
            let leases: Vec<Lease> = releases.iter().map(|w| w.hold.lease().clone()).collect();
            // Not giving them back only makes others wait for the leases to run out.
            drop(self.insist("release", || self.store.release(&leases)).await);
            drop(releases);
        }
        if !blobs.is_empty() {
            self.remove(blobs);
        }
    }

    fn remove(&self, items: Vec<ItemRef>) {
        let blobs = Arc::clone(&self.blobs);
        self.removals.spawn(async move {
            if let Err(error) = blobs.delete(&items).await {
                tracing::warn!(%error, blobs = items.len(), "images of ended items are left to the sweep");
            }
        });
    }

    async fn complete(&self, outcomes: Vec<(Work, ItemOutcome)>, blobs: &mut Vec<ItemRef>) {
        let (mut works, outcomes): (Vec<Work>, Vec<(Lease, ItemOutcome)>) = outcomes
            .into_iter()
            .map(|(work, outcome)| {
                let lease = work.hold.lease().clone();
                (work, (lease, outcome))
            })
            .unzip();
        let start = Instant::now();
        let answered = self.insist("complete", || self.store.complete(&outcomes)).await;
        metrics::recorded(start.elapsed());
        match answered {
            Ok(recorded) => {
                let end = Instant::now();
                works.iter().for_each(|work| work.trace.stage("record", start, end));
                for ((work, (_, outcome)), recorded) in
                    works.iter_mut().zip(&outcomes).zip(recorded)
                {
                    settle(work, outcome, recorded, blobs);
                }
            }
            Err(GivenUp::Refused(error)) => {
                tracing::error!(%error, items = works.len(), "outcomes are refused together");
                for (work, (lease, outcome)) in works.iter_mut().zip(outcomes) {
                    self.complete_alone(work, lease, outcome, blobs).await;
                }
            }
            Err(GivenUp::Stopped) => {}
        }
    }

    /// Records one outcome; one that the store does not take becomes an error.
    async fn complete_alone(
        &self,
        work: &mut Work,
        lease: Lease,
        outcome: ItemOutcome,
        blobs: &mut Vec<ItemRef>,
    ) {
        let detail = "the answer is larger than the store takes; ask for fewer predictions";
        let instead = ItemOutcome::Failed(ItemError::new(ErrorCode::Internal, detail));
        for outcome in [outcome, instead] {
            let one = [(lease.clone(), outcome)];
            match self.insist("complete", || self.store.complete(&one)).await {
                Ok(recorded) => {
                    let [(_, outcome)] = &one;
                    for recorded in recorded {
                        settle(work, outcome, recorded, blobs);
                    }
                    return;
                }
                Err(GivenUp::Refused(error)) => {
                    work.log.in_scope(|| tracing::error!(%error, "an outcome is refused"));
                }
                Err(GivenUp::Stopped) => return,
            }
        }
    }

    async fn retry(
        &self,
        mut work: Work,
        after: Duration,
        error: &ItemError,
        blobs: &mut Vec<ItemRef>,
    ) {
        let lease = &work.hold.lease().clone();
        let attempt = work.attempt;
        work.log.in_scope(|| tracing::info!(attempt, %error, "an item is tried again"));
        match self.insist("retry", || self.store.retry(lease, after, error)).await {
            Ok(Retried::Canceled { job_ended }) => {
                ended(&mut work, &ItemOutcome::Canceled, job_ended);
                blob_of(&work, blobs);
            }
            Ok(Retried::Gone) => blob_of(&work, blobs),
            // A dead letter keeps its image, for those who look into it.
            Ok(Retried::Dead { job_ended }) => {
                work.log.in_scope(|| tracing::error!(attempt, %error, "an item is a dead letter"));
                ended(&mut work, &ItemOutcome::Failed(error.clone()), job_ended);
                metrics::dead_letter();
            }
            Ok(Retried::Delayed) => {
                work.trace.set("aisle.outcome", "tried_again");
                work.trace.fail(error.code.as_str());
            }
            Ok(Retried::Fenced) | Err(GivenUp::Stopped) => {}
            Err(GivenUp::Refused(refusal)) => {
                work.log.in_scope(|| tracing::error!(%refusal, "a retry is refused"));
            }
        }
    }

    /// Repeats a call until the store answers.
    async fn insist<T, F>(
        &self,
        verb: &'static str,
        call: impl Fn() -> F + Send,
    ) -> Result<T, GivenUp>
    where
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let mut failures = 0;
        loop {
            let error = match call().await {
                Ok(answer) => return Ok(answer),
                Err(error @ StoreError::Invalid(_)) => return Err(GivenUp::Refused(error)),
                Err(
                    error @ (StoreError::Unavailable { .. }
                    | StoreError::Full { .. }
                    | StoreError::Exhausted { .. }
                    | StoreError::Closed
                    | StoreError::KeyReused
                    | StoreError::KeyInProgress
                    | StoreError::NotFound
                    | StoreError::Stale
                    | StoreError::Corrupt(_)
                    | StoreError::Config(_)),
                ) => error,
            };
            failures += 1;
            tracing::warn!(verb, failures, %error, "the store is asked again");
            tokio::select! {
                () = tokio::time::sleep(TROUBLE.after(failures, rand::random())) => {}
                () = self.give_up.cancelled() => return Err(GivenUp::Stopped),
            }
        }
    }
}

/// Why nothing was written.
enum GivenUp {
    /// The store does not take it.
    Refused(StoreError),
    /// The worker stops, and the store does not answer.
    Stopped,
}

fn sorted(batch: impl Iterator<Item = Ended>) -> Sorted {
    let mut sorted = Sorted::default();
    for Ended { work, ending } in batch {
        work.hold.ends();
        match ending {
            Ending::Outcome(outcome) => sorted.outcomes.push((work, outcome)),
            Ending::Retry { after, error } => sorted.retries.push((work, after, error)),
            Ending::Release => {
                let mut work = work;
                work.trace.set("aisle.outcome", "released");
                sorted.releases.push(work);
            }
            Ending::Lost => work.log.in_scope(|| tracing::debug!("a lost item is dropped")),
        }
    }
    sorted
}

fn settle(work: &mut Work, outcome: &ItemOutcome, recorded: Recorded, blobs: &mut Vec<ItemRef>) {
    match recorded {
        Recorded::Stored { job_ended } => {
            ended(work, outcome, job_ended);
            blob_of(work, blobs);
        }
        Recorded::Gone => blob_of(work, blobs),
        Recorded::Fenced => {
            work.trace.set("aisle.outcome", "fenced");
            work.log.in_scope(|| {
                tracing::info!("an outcome came too late: the item is another's");
            });
        }
    }
}

/// Tells metrics, the trace and the log how an item, and perhaps its job, ended.
fn ended(work: &mut Work, outcome: &ItemOutcome, job_ended: Option<JobStatus>) {
    metrics::ended(work, outcome);
    match outcome {
        ItemOutcome::Succeeded(_) => work.trace.set("aisle.outcome", "succeeded"),
        ItemOutcome::Canceled => work.trace.set("aisle.outcome", "canceled"),
        ItemOutcome::Failed(error) => {
            work.trace.set("aisle.outcome", "failed");
            work.trace.fail(error.code.as_str());
        }
    }
    if let Some(status) = job_ended {
        work.log.in_scope(|| tracing::info!(status = status.as_str(), "job ended"));
    }
}

fn blob_of(work: &Work, blobs: &mut Vec<ItemRef>) {
    if work.leaves_bytes {
        blobs.push(work.item());
    }
}

#[cfg(test)]
mod tests;
