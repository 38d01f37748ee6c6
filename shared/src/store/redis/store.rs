//! The store's verbs over Redis, each a call to the module that has it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::super::{
    Canceled, ClaimRequest, Claimed, DeadLetter, Deleted, Enqueued, Extended, Found, JobFilter,
    JobPage, JobWatch, Lease, ListPosition, Reaped, Recorded, Retried, Stats, Store, StoreError,
    StoreLimits, Swept, Wakers, check_route,
};
use super::elsewhere::{Elsewhere, Load};
use super::intake::Caps;
use super::keys::{Shards, Topic};
use super::options::RedisOptions;
use super::server::Server;
use super::subscription::Subscription;
use super::tickets::Tickets;
use super::written::written;
use super::{cache, callers, contract, fleet, holding, intake, upkeep, webhooks};
use crate::blob::RedisBlobs;
use crate::domain::{
    AnnouncedModel, ItemError, ItemOutcome, ItemResult, JobId, ModelName, NewItem, NewJob,
    TenantId, WorkerCard, WorkerId,
};

/// Jobs in Redis.
pub struct RedisStore {
    pub(super) server: Arc<Server>,
    pub(super) limits: StoreLimits,
    pub(super) elsewhere: Elsewhere,
    tickets: Tickets,
    pub(super) wakers: Arc<Wakers>,
    pub(super) subscription: Subscription,
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl RedisStore {
    /// Reaches a server and checks that jobs can be entrusted to it.
    ///
    /// # Errors
    /// [`StoreError::Config`] when the URL is wrong, the server refuses the
    /// user, is too old, evicts keys, or keeps nothing over a restart;
    /// [`StoreError::Unavailable`] when it does not answer.
    pub async fn connect(options: RedisOptions) -> Result<Self, StoreError> {
        let shards = Shards::new(options.shards);
        let server = Arc::new(Server::new(&options.url, shards, options.clock)?);
        contract::check(&server, options.danger_allow_volatile).await?;
        let wakers = Arc::new(Wakers::default());
        let subscription = Subscription::new(server.clients(), shards, Arc::clone(&wakers));
        let elsewhere = Elsewhere::default();
        let (limits, tickets) = (options.limits, Tickets::default());
        Ok(Self { server, limits, elsewhere, tickets, wakers, subscription })
    }

    /// What the shards other than the job's hold.
    async fn elsewhere(&self, job: &NewJob) -> Load {
        let loads = self.elsewhere.loads(&self.server, &job.tenant, &self.limits).await;
        loads.but(self.server.shard_of(&job.id))
    }

    /// The server, for the verbs that stand in files of their own.
    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    /// Uploads beside the jobs, on the same server.
    #[must_use]
    pub fn blobs(&self) -> RedisBlobs {
        RedisBlobs::new(Arc::clone(&self.server))
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn enqueue(&self, job: &NewJob, items: &[NewItem]) -> Result<Enqueued, StoreError> {
        check_route(job)?;
        let elsewhere = self.elsewhere(job).await;
        let caps = Caps { limits: &self.limits, elsewhere: &elsewhere };
        intake::enqueue(&self.server, caps, job, items).await
    }

    async fn open(&self, job: &NewJob, total: u32) -> Result<Enqueued, StoreError> {
        check_route(job)?;
        let elsewhere = self.elsewhere(job).await;
        let caps = Caps { limits: &self.limits, elsewhere: &elsewhere };
        intake::open(&self.server, caps, job, total).await
    }

    async fn append(&self, job: &JobId, first: u32, items: &[NewItem]) -> Result<(), StoreError> {
        intake::append(&self.server, job, first, items).await
    }

    async fn seal(&self, job: &JobId) -> Result<(), StoreError> {
        intake::seal(&self.server, job).await?;
        written(&self.server, self.server.shard_of(job)).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
        holding::claim(&self.server, &self.tickets, request).await
    }

    async fn wait_for_work(&self, model: &ModelName, timeout: Duration) {
        self.subscription.want(Topic::Work);
        self.wakers.wait_for_work(model, timeout).await;
    }

    async fn extend(&self, held: &[Lease], by: Duration) -> Result<Extended, StoreError> {
        holding::extend(&self.server, held, by).await
    }

    async fn complete(
        &self,
        outcomes: &[(Lease, ItemOutcome)],
    ) -> Result<Vec<Recorded>, StoreError> {
        holding::complete(&self.server, outcomes).await
    }

    async fn retry(
        &self,
        lease: &Lease,
        after: Duration,
        error: &ItemError,
    ) -> Result<Retried, StoreError> {
        holding::retry(&self.server, lease, after, error).await
    }

    async fn release(&self, held: &[Lease]) -> Result<(), StoreError> {
        holding::release(&self.server, held).await
    }

    async fn reap(&self, limit: usize) -> Result<Reaped, StoreError> {
        upkeep::reap(&self.server, limit).await
    }

    async fn sweep(&self, limit: usize) -> Result<Swept, StoreError> {
        let swept = upkeep::sweep(&self.server, limit).await?;
        let deliveries = webhooks::forget(&self.server).await;
        let answers = cache::forget(&self.server).await;
        match deliveries.and(answers) {
            // What is gone is told, for its blobs are to go too.
            Err(error) if swept == Swept::default() => Err(error),
            Ok(()) | Err(_) => Ok(swept),
        }
    }

    async fn find(&self, tenant: &TenantId, id: &JobId) -> Result<Found, StoreError> {
        callers::find(&self.server, tenant, id).await
    }

    async fn find_ended(
        &self,
        tenant: &TenantId,
        id: &JobId,
        first: u32,
        limit: u32,
    ) -> Result<(Found, Vec<ItemResult>), StoreError> {
        callers::find_ended(&self.server, tenant, id, (first, limit)).await
    }

    async fn results(
        &self,
        tenant: &TenantId,
        id: &JobId,
        first: u32,
        limit: u32,
    ) -> Result<Vec<ItemResult>, StoreError> {
        callers::results(&self.server, tenant, id, (first, limit)).await
    }

    async fn list(
        &self,
        tenant: &TenantId,
        filter: &JobFilter,
        after: Option<ListPosition>,
        limit: usize,
    ) -> Result<JobPage, StoreError> {
        callers::list(&self.server, tenant, filter, after, limit).await
    }

    async fn cancel(&self, tenant: &TenantId, id: &JobId) -> Result<Canceled, StoreError> {
        callers::cancel(&self.server, tenant, id).await
    }

    async fn delete(&self, tenant: &TenantId, id: &JobId) -> Result<Deleted, StoreError> {
        callers::delete(&self.server, tenant, id).await
    }

    fn watch(&self, id: &JobId) -> JobWatch {
        self.subscription.want(Topic::Jobs);
        self.subscription.want(Topic::Changes);
        self.wakers.watch(id)
    }

    fn watch_end(&self, id: &JobId) -> JobWatch {
        self.subscription.want(Topic::Jobs);
        self.wakers.watch_end(id)
    }

    async fn announce(&self, worker: &WorkerCard, ttl: Duration) -> Result<(), StoreError> {
        fleet::announce(&self.server, worker, ttl).await
    }

    async fn retire(&self, worker: &WorkerId) -> Result<(), StoreError> {
        fleet::retire(&self.server, worker).await
    }

    async fn withdraw(&self, worker: &WorkerId, model: &ModelName) -> Result<(), StoreError> {
        fleet::withdraw(&self.server, worker, model).await
    }

    async fn models(&self) -> Result<Vec<AnnouncedModel>, StoreError> {
        fleet::models(&self.server).await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        fleet::stats(&self.server).await
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        fleet::dead_letters(&self.server, limit).await
    }

    async fn existing(&self, ids: &[JobId]) -> Result<Vec<JobId>, StoreError> {
        fleet::existing(&self.server, ids).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        fleet::check(&self.server).await
    }
}
