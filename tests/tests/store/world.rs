//! The steps that most cases take, so that a case reads as its sentence.

use std::ops::Deref;
use std::time::Duration;

use aisle_shared::domain::{
    ItemOutcome, Job, JobId, ModelName, NewItem, NewJob, TenantId, WorkerId,
};
use aisle_shared::store::{
    ClaimRequest, Claimed, Found, Lease, Reaped, Recorded, Store, StoreError,
};
use aisle_tests::fixtures::{answer, items, model, tenant};
use aisle_tests::harness::{Backend, Harness};

/// The lease of [`World::claim`].
pub(crate) const LEASE: Duration = Duration::from_secs(10);

/// More than any one claim in these tests will find.
pub(crate) const ALL: usize = 1_000;

/// What a case runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Sqlite,
    Redis,
    RedisShards,
    RedisCluster,
}

impl Over {
    /// Whether it has more than one shard.
    pub(crate) fn is_parted(self) -> bool {
        matches!(self, Self::RedisShards | Self::RedisCluster)
    }

    /// An empty store; none where this machine can have no cluster.
    pub(crate) async fn harness(self) -> anyhow::Result<Option<Harness>> {
        match self {
            Self::Sqlite => Harness::new(Backend::Sqlite).await.map(Some),
            Self::Redis => Harness::new(Backend::Redis).await.map(Some),
            Self::RedisShards => Harness::of_shards().await.map(Some),
            Self::RedisCluster => match Harness::of_cluster().await {
                Ok(harness) => Ok(Some(harness)),
                Err(error) => {
                    println!("skipped: no Redis Cluster here: {error:#}");
                    Ok(None)
                }
            },
        }
    }
}

pub(crate) struct World(Harness);

impl Deref for World {
    type Target = Harness;

    fn deref(&self) -> &Harness {
        &self.0
    }
}

impl World {
    /// Nothing where this machine cannot have such a store, which it says.
    pub(crate) async fn over(over: Over) -> Option<Self> {
        over.harness().await.unwrap().map(Self)
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    pub(crate) async fn enqueue(&self, job: &NewJob, count: u32) {
        let enqueued = self.store.enqueue(job, &items(count)).await.unwrap();
        assert!(enqueued.is_created());
    }

    /// Claims for the model of the fixtures.
    pub(crate) async fn claim(&self, max: usize) -> Vec<Claimed> {
        self.store.claim(&request("shoes", max)).await.unwrap()
    }

    pub(crate) async fn claim_one(&self) -> Claimed {
        let mut claimed = self.claim(1).await;
        assert_eq!(claimed.len(), 1, "nothing to claim");
        claimed.remove(0)
    }

    /// Claims until nothing is ready.
    pub(crate) async fn claim_all(&self) -> Vec<Claimed> {
        let mut all = Vec::new();
        loop {
            let claimed = self.claim(ALL).await;
            if claimed.is_empty() {
                return all;
            }
            all.extend(claimed);
        }
    }

    pub(crate) async fn complete(&self, held: &Claimed, outcome: ItemOutcome) -> Recorded {
        complete(&*self.store, &held.lease, outcome).await
    }

    pub(crate) async fn succeed(&self, held: &Claimed) -> Recorded {
        self.complete(held, answer("Shirts")).await
    }

    /// Claims all there is, and answers it.
    pub(crate) async fn finish(&self) {
        for held in self.claim_all().await {
            assert!(matches!(self.succeed(&held).await, Recorded::Stored { .. }));
        }
    }

    /// Lets every lease run out, and reaps.
    pub(crate) async fn crash(&self) -> Reaped {
        self.advance(LEASE);
        self.store.reap(ALL).await.unwrap()
    }

    pub(crate) async fn job(&self, job: &NewJob) -> Job {
        match self.find(&job.tenant, &job.id).await {
            Found::Job(found) => *found,
            Found::Expired | Found::Unknown => panic!("the job cannot be found"),
        }
    }

    pub(crate) async fn find(&self, tenant: &TenantId, id: &JobId) -> Found {
        self.store.find(tenant, id).await.unwrap()
    }

    /// The outcomes of the ended items, with their places.
    pub(crate) async fn results(&self, job: &NewJob) -> Vec<(u32, ItemOutcome)> {
        let results = self.store.results(&job.tenant, &job.id, 0, 10_000).await.unwrap();
        results.into_iter().map(|result| (result.index, result.outcome)).collect()
    }

    pub(crate) async fn live(&self) -> u64 {
        self.store.stats().await.unwrap().live
    }
}

pub(crate) fn request(model_name: &str, max: usize) -> ClaimRequest {
    ClaimRequest {
        worker: worker("w-1"),
        model: model(model_name),
        max,
        lease: LEASE,
        with_content: true,
    }
}

pub(crate) fn worker(name: &str) -> WorkerId {
    name.parse().unwrap()
}

pub(crate) async fn complete(store: &dyn Store, lease: &Lease, outcome: ItemOutcome) -> Recorded {
    let recorded = store.complete(&[(lease.clone(), outcome)]).await.unwrap();
    assert_eq!(recorded.len(), 1);
    recorded[0]
}

pub(crate) fn indexes(claimed: &[Claimed]) -> Vec<u32> {
    claimed.iter().map(|held| held.lease.item.index).collect()
}

pub(crate) fn jobs(claimed: &[Claimed]) -> Vec<JobId> {
    claimed.iter().map(|held| held.lease.item.job).collect()
}

pub(crate) fn leases(claimed: &[Claimed]) -> Vec<Lease> {
    claimed.iter().map(|held| held.lease.clone()).collect()
}

pub(crate) fn stranger() -> TenantId {
    tenant("stranger")
}

pub(crate) fn other_model() -> ModelName {
    model("bags")
}

pub(crate) fn is_invalid<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Invalid(_)))
}

pub(crate) fn is_not_found<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::NotFound))
}

pub(crate) fn url_item(url: &str) -> NewItem {
    NewItem::at_url(url.to_owned())
}
