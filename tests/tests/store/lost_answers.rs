//! Claims that Redis ran and whose answers never came.

use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use aisle_shared::clock::Clock;
use aisle_shared::domain::NewJob;
use aisle_shared::store::{
    ClaimRequest, Claimed, RedisOptions, RedisStore, Store as _, StoreError, StoreLimits,
};
use aisle_tests::chaos::proxy::{Proxy, Weather};
use aisle_tests::fixtures::{items, job};
use aisle_tests::harness::{MAX_LIVE_ITEMS, SHARDS};
use aisle_tests::redis_server::RedisServer;

use crate::world::{ALL, leases, request};

/// Longer than the test takes: whoever waits for the lease is found out.
const LEASE: Duration = Duration::from_secs(600);

/// Half of all requests end their connection, before or after they are run.
const STORM: Weather = Weather {
    latency: Duration::ZERO,
    jitter: Duration::ZERO,
    resets: 50,
    holds_requests: false,
    closed: false,
};

/// One server, reached by a network that loses answers, and by one that does not.
struct Paths {
    _server: RedisServer,
    proxy: Proxy,
    rough: RedisStore,
    fair: RedisStore,
}

impl Paths {
    async fn to_a_server(shards: NonZeroU16) -> Self {
        let server = RedisServer::start().await.unwrap();
        let proxy = Proxy::before(server.address()).await;
        let rough = connect(format!("redis://{}/", proxy.address()), shards).await;
        let fair = connect(server.url(), shards).await;
        Self { _server: server, proxy, rough, fair }
    }

    /// Claims until an answer was lost: the store has handed out more than the
    /// items that are `held`.
    async fn lose_an_answer(&self, held: u64) {
        self.proxy.turn(STORM);
        while self.fair.stats().await.unwrap().running == held {
            if let Ok(claimed) = claim(&self.rough).await {
                self.fair.release(&leases(&claimed)).await.unwrap();
            }
        }
        self.proxy.turn(Weather::default());
    }
}

async fn connect(url: String, shards: NonZeroU16) -> RedisStore {
    let limits = StoreLimits::of_items(MAX_LIVE_ITEMS);
    let clock = Clock::Store;
    let options = RedisOptions { url, shards, limits, danger_allow_volatile: false, clock };
    RedisStore::connect(options).await.unwrap()
}

async fn claim(store: &RedisStore) -> Result<Vec<Claimed>, StoreError> {
    store.claim(&ClaimRequest { lease: LEASE, ..request("shoes", ALL) }).await
}

/// Claims until an item comes, as a worker does whose connections broke.
async fn claim_again(store: &RedisStore) -> Vec<Claimed> {
    let began = Instant::now();
    loop {
        match claim(store).await {
            Ok(claimed) if !claimed.is_empty() => return claimed,
            Ok(_) | Err(_) => assert!(began.elapsed() < LEASE / 10, "the item does not come"),
        }
    }
}

async fn comes_again(shards: NonZeroU16) {
    let paths = Paths::to_a_server(shards).await;
    let new = NewJob { max_attempts: 1, ..job() };
    paths.fair.enqueue(&new, &items(1)).await.unwrap();
    paths.lose_an_answer(0).await;
    let again = claim_again(&paths.rough).await;
    assert_eq!((again.len(), again[0].lease.item.job), (1, new.id));
    assert_eq!(again[0].attempt, 1, "an answer that was lost spends no attempt");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_lost_answer_handed_out_comes_with_the_next_claim() {
    comes_again(NonZeroU16::MIN).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_lost_answer_handed_out_comes_from_whichever_shard_has_it() {
    comes_again(SHARDS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_takes_nothing_from_claims_that_were_answered() {
    let paths = Paths::to_a_server(NonZeroU16::MIN).await;
    paths.fair.enqueue(&job(), &items(1)).await.unwrap();
    let held = claim(&paths.rough).await.unwrap();
    let new = job();
    paths.fair.enqueue(&new, &items(1)).await.unwrap();
    paths.lose_an_answer(1).await;
    let again = claim_again(&paths.rough).await;
    assert_eq!((again.len(), again[0].lease.item.job), (1, new.id));
    let extended = paths.fair.extend(&leases(&held), LEASE).await.unwrap();
    assert_eq!(extended.lost, []);
}
