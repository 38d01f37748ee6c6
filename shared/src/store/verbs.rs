//! The store's verbs and the words they speak in.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Cache, JobWatch, Keys, Limits, StoreError, Webhooks};
use crate::domain::{
    AnnouncedModel, ItemError, ItemOutcome, ItemRef, ItemResult, ItemSource, Job, JobId,
    JobOptions, JobStatus, ModelName, NewItem, NewJob, Priority, TenantId, Timestamp, TraceParent,
    WorkerCard, WorkerId,
};

/// Proof of holding an item: an epoch that grows with each claim, and a
/// random part that no other claim has. Compared whole.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeaseToken(pub String);

/// An item held for a while.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The item that is held.
    pub item: ItemRef,
    /// The proof.
    pub token: LeaseToken,
}

/// Whether a job is new to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// The job was written, and is found as [`NewJob::queued`] has it until
    /// its first item is claimed.
    Created {
        /// When the store took it.
        at: Timestamp,
    },
    /// A job of that id was there already; nothing was written.
    Replayed,
    /// The caller's key had made another job of the same request; nothing
    /// was written. That job may be gone by now.
    Repeated(JobId),
}

impl Enqueued {
    /// Whether this very call wrote the job.
    #[must_use]
    pub const fn is_created(self) -> bool {
        matches!(self, Self::Created { .. })
    }
}

/// A worker's wish for work.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// Who asks.
    pub worker: WorkerId,
    /// The model whose items it can run.
    pub model: ModelName,
    /// Items at most.
    pub max: usize,
    /// How long the items stay its own without [`Store::extend`].
    pub lease: Duration,
    /// Whether uploads that lie in the blob store kept with this store are to
    /// come along.
    pub with_content: bool,
}

/// An item as a worker receives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The item and the proof of holding it.
    pub lease: Lease,
    /// Whose it is.
    pub tenant: TenantId,
    /// Where the image is.
    pub source: ItemSource,
    /// The bytes of its upload, if they were asked for, the store has them, and
    /// those before it leave room in
    /// [`MAX_CONTENT_BYTES`](super::MAX_CONTENT_BYTES).
    pub content: Option<Bytes>,
    /// What the caller chose.
    pub options: JobOptions,
    /// How often the item has been claimed, this claim included: from 1.
    pub attempt: u32,
    /// Claims that it may use.
    pub max_attempts: u32,
    /// Whether a worker died holding it: then it comes alone in its claim,
    /// so that it can take no other item down with it.
    pub solo: bool,
    /// When its job was submitted.
    pub created_at: Timestamp,
    /// Where its job stands in a trace.
    pub trace: Option<TraceParent>,
}

/// What became of leases that were to be renewed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extended {
    /// No longer held by the caller: drop the work.
    pub lost: Vec<ItemRef>,
    /// Still held, but their job was canceled: end them soon.
    pub canceled: Vec<ItemRef>,
}

/// What became of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is the item's result now.
    Stored {
        /// The job's final status if this was its last item.
        job_ended: Option<JobStatus>,
    },
    /// The item had ended before; its result stays as it was.
    Gone,
    /// The item is held by another; nothing was written.
    Fenced,
}

/// What became of an item that was to be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// It will be ready again after its delay.
    Delayed,
    /// Its attempts are spent: it ended with the error, a dead letter.
    Dead {
        /// The job's final status if this was its last item.
        job_ended: Option<JobStatus>,
    },
    /// Its job was canceled, and so it ended canceled.
    Canceled {
        /// The job's final status if this was its last item.
        job_ended: Option<JobStatus>,
    },
    /// It had ended before.
    Gone,
    /// It is held by another; nothing was written.
    Fenced,
}

/// What the reaper did with expired leases.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reaped {
    /// Ready again, to be claimed alone.
    pub requeued: Vec<ItemRef>,
    /// Ended as dead letters with code `worker_lost`.
    pub dead: Vec<ItemRef>,
    /// Ended canceled, because their job was.
    pub canceled: Vec<ItemRef>,
}

/// What housekeeping removed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Swept {
    /// Jobs past their retention, with their number of items. Gone, but for
    /// a tombstone.
    pub expired: Vec<(JobId, u32)>,
    /// Large jobs that were opened and never sealed, with the number of
    /// items announced. Gone.
    pub aborted: Vec<(JobId, u32)>,
}

/// What canceling did.
#[derive(Debug, Clone, PartialEq)]
pub enum Canceled {
    /// The job will end canceled as soon as its running items have ended;
    /// those not running ended here. Says the same when repeated.
    Requested {
        /// Items that this very call ended.
        items: Vec<u32>,
    },
    /// The job had ended before, otherwise than by cancellation.
    AlreadyEnded(JobStatus),
}

/// A job that was removed on request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deleted {
    /// The items that it had.
    pub items: u32,
}

/// What the store knows of an id.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// The job.
    Job(Box<Job>),
    /// It was there, and was deleted or outlived its retention.
    Expired,
    /// Nothing, or another tenant's.
    Unknown,
}

/// Which jobs to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobFilter {
    /// Only jobs in this status.
    pub status: Option<JobStatus>,
    /// Only jobs for this model.
    pub model: Option<ModelName>,
}

/// A place in the list of a tenant's jobs, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListPosition {
    /// When the job at that place was created.
    pub created_at: Timestamp,
    /// Its id, which breaks ties.
    pub id: JobId,
}

/// A page of jobs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JobPage {
    /// The jobs, newest first.
    pub jobs: Vec<Job>,
    /// Where the next page starts; `None` at the end. A page may be short,
    /// even empty, and still have a next one, because filtering is bounded.
    pub next: Option<ListPosition>,
}

/// An item that ended because its attempts were spent or its workers died.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// The item.
    pub item: ItemRef,
    /// Whose it is.
    pub tenant: TenantId,
    /// Why it ended.
    pub error: ItemError,
    /// When it ended.
    pub at: Timestamp,
}

/// How many items of a lane are where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneStats {
    /// The model.
    pub model: ModelName,
    /// The priority.
    pub priority: Priority,
    /// Items that wait for a claim.
    pub ready: u64,
    /// When the job of the item that has waited longest was created.
    pub oldest: Option<Timestamp>,
}

/// What the store holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    /// Items ready to be claimed, by model and priority; lanes with none are
    /// left out.
    pub lanes: Vec<LaneStats>,
    /// Items to be tried again later.
    pub delayed: u64,
    /// Items held by workers.
    pub running: u64,
    /// Items that have not ended, in all.
    pub live: u64,
    /// Dead letters kept.
    pub dead: u64,
    /// Webhooks.
    pub webhooks: WebhookStats,
    /// Answers kept for pictures that come again, those whose time is over
    /// and that are not swept yet included.
    pub cached: u64,
}

/// What is still to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WebhookStats {
    /// Deliveries that have not ended.
    pub pending: u64,
    /// When the first of those that no cap and no breaker holds back is due,
    /// or its tenant's turn has come. It lies in the past for as long as no
    /// sender claims it.
    pub due: Option<Timestamp>,
}

/// Jobs, items, leases and results behind atomic transitions.
///
/// Every verb may be repeated after [`StoreError::Unavailable`]: a step that
/// was taken the first time is recognised and not taken twice.
#[async_trait]
pub trait Store: Webhooks + Keys + Limits + Cache {
    // ---- in: the API submits ----

    /// Writes a job with all its items (1 to
    /// [`MAX_ITEMS_PER_CALL`](super::MAX_ITEMS_PER_CALL)); they are ready at
    /// once. Repeating with the same id replays. The caller's key is reserved
    /// in the same step, and remembered for as long as it says, whatever
    /// becomes of the job; only an aborted job frees it. Bytes that come with
    /// items ([`NewItem::content`]) are kept with it: no job is there without
    /// them, and one that is refused, replayed or repeated leaves none. They
    /// are read in the blob store that is kept with this store
    /// ([`BlobStore::goes_with_job`](crate::blob::BlobStore::goes_with_job)).
    ///
    /// # Errors
    /// [`StoreError::Full`] when the items would exceed a limit set,
    /// [`StoreError::Closed`] and [`StoreError::Exhausted`] when none is
    /// taken, [`StoreError::KeyReused`] and [`StoreError::KeyInProgress`]
    /// when the caller's key stands for something else. A repeated job is
    /// recognised first. [`StoreError::Invalid`] when more than
    /// [`MAX_CONTENT_BYTES`](super::MAX_CONTENT_BYTES) come along, or others
    /// than an item's size tells.
    async fn enqueue(&self, job: &NewJob, items: &[NewItem]) -> Result<Enqueued, StoreError>;

    /// Begins a job of `total` items that is filled by [`Store::append`] and
    /// becomes visible and claimable with [`Store::seal`]. Unsealed after
    /// ten minutes, it is aborted by [`Store::sweep`].
    ///
    /// # Errors
    /// Those of [`Store::enqueue`].
    async fn open(&self, job: &NewJob, total: u32) -> Result<Enqueued, StoreError>;

    /// Adds items from place `first` on, at most
    /// [`MAX_ITEMS_PER_CALL`](super::MAX_ITEMS_PER_CALL). Items that are
    /// there already are left alone. The blob store has the bytes of uploads.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the job is not open,
    /// [`StoreError::Invalid`] when items lie past its total, or bring bytes.
    async fn append(&self, job: &JobId, first: u32, items: &[NewItem]) -> Result<(), StoreError>;

    /// Makes an open job's items ready. Repeating it is harmless.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the job is unknown,
    /// [`StoreError::Invalid`] when items are missing.
    async fn seal(&self, job: &JobId) -> Result<(), StoreError>;

    // ---- out: a worker claims, holds and ends items ----

    /// Hands out up to `max` ready items, and no more than
    /// [`MAX_CLAIMED_PER_CALL`](super::MAX_CLAIMED_PER_CALL): highest band first, fair between
    /// tenants inside a band, delayed items promoted when due. An item that
    /// took a worker down comes alone. Counts the attempt, starts the lease,
    /// moves the job to processing. Items of canceled jobs end here. Hands out
    /// nothing while [`Switch::Paused`](super::Switch::Paused) is on. Never
    /// waits. After fewer items than it would hand out, none of which comes alone, no more
    /// were ready, but behind hundreds that were canceled.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, StoreError>;

    /// Returns when a claim for the model may succeed, or after `timeout`. A
    /// hint that saves polling: it may come falsely or late, so poll anyway.
    async fn wait_for_work(&self, model: &ModelName, timeout: Duration);

    /// Renews leases to `by` from now.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn extend(&self, held: &[Lease], by: Duration) -> Result<Extended, StoreError>;

    /// Records outcomes, each fenced by its lease. The last item of a job
    /// ends the job in the same step. Bytes of theirs that lie in the blob
    /// store kept with this store go too, whoever put them there. Answers in
    /// the order given.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when an outcome exceeds
    /// [`MAX_OUTCOME_BYTES`](super::MAX_OUTCOME_BYTES); nothing is written
    /// then.
    async fn complete(
        &self,
        outcomes: &[(Lease, ItemOutcome)],
    ) -> Result<Vec<Recorded>, StoreError>;

    /// Gives an item up to be tried again `after` a delay, or as a dead
    /// letter with `error` when its attempts are spent.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn retry(
        &self,
        lease: &Lease,
        after: Duration,
        error: &ItemError,
    ) -> Result<Retried, StoreError>;

    /// Gives items back untouched: ready at once, the attempt not counted.
    /// Leases that are no longer held are skipped.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn release(&self, held: &[Lease]) -> Result<(), StoreError>;

    // ---- upkeep: any process, at any time, more than one at once ----

    /// Takes up to `limit` expired leases (and those of workers known to be
    /// dead) back: ready again and solo, or dead after too many crashes or
    /// with their attempts spent.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn reap(&self, limit: usize) -> Result<Reaped, StoreError>;

    /// Removes up to `limit` jobs past their retention and aborts large jobs
    /// that were never sealed. Their blobs are the caller's to remove.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn sweep(&self, limit: usize) -> Result<Swept, StoreError>;

    // ---- callers: each sees its own tenant only ----

    /// The job of that id.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn find(&self, tenant: &TenantId, id: &JobId) -> Result<Found, StoreError>;

    /// The same, and of a job that has ended its items with places in
    /// `first..first + limit` too, as [`Store::results`] has them.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn find_ended(
        &self,
        tenant: &TenantId,
        id: &JobId,
        first: u32,
        limit: u32,
    ) -> Result<(Found, Vec<ItemResult>), StoreError>;

    /// Ended items of a job with places in `first..first + limit`, in order.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the job is unknown to the tenant.
    async fn results(
        &self,
        tenant: &TenantId,
        id: &JobId,
        first: u32,
        limit: u32,
    ) -> Result<Vec<ItemResult>, StoreError>;

    /// The tenant's jobs, newest first, at most `limit` (1 to 100).
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn list(
        &self,
        tenant: &TenantId,
        filter: &JobFilter,
        after: Option<ListPosition>,
        limit: usize,
    ) -> Result<JobPage, StoreError>;

    /// Cancels a job.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the job is unknown to the tenant.
    async fn cancel(&self, tenant: &TenantId, id: &JobId) -> Result<Canceled, StoreError>;

    /// Removes a job with its results, ended or not, and leaves a tombstone.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the job is unknown to the tenant.
    async fn delete(&self, tenant: &TenantId, id: &JobId) -> Result<Deleted, StoreError>;

    /// Wakes when the job changes. Take it before reading the job, so that
    /// no change falls between.
    fn watch(&self, id: &JobId) -> JobWatch;

    /// The same, but only for changes after which the job may have ended.
    fn watch_end(&self, id: &JobId) -> JobWatch;

    // ---- workers and operators ----

    /// Tells that a worker serves its models, for `ttl` from now; repeated
    /// as a heartbeat.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn announce(&self, worker: &WorkerCard, ttl: Duration) -> Result<(), StoreError>;

    /// Tells that a worker has stopped.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn retire(&self, worker: &WorkerId) -> Result<(), StoreError>;

    /// Tells that a worker serves a model no longer because it was taken away.
    /// When no living worker serves it, it is forgotten now and not after seven
    /// days. A worker that announces it again brings it back.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn withdraw(&self, worker: &WorkerId, model: &ModelName) -> Result<(), StoreError>;

    /// Every model announced in the last seven days and not withdrawn since, by
    /// name.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn models(&self) -> Result<Vec<AnnouncedModel>, StoreError>;

    /// What the store holds.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn stats(&self) -> Result<Stats, StoreError>;

    /// The newest dead letters of all tenants, at most `limit`.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError>;

    /// Which of these jobs exist, open ones included, whoever they belong to.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn existing(&self, ids: &[JobId]) -> Result<Vec<JobId>, StoreError>;

    /// A real write and read.
    ///
    /// # Errors
    /// What stands in the way of serving.
    async fn check(&self) -> Result<(), StoreError>;
}
