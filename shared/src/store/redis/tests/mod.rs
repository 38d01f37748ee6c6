//! What only the Redis store must hold, tried on a server of each test's own.
//! What both stores must hold is tried by the conformance suite.

mod answers;
mod draining;
mod guarding;
mod life;
mod outbox;
mod parting;
mod private_server;
mod turns;
mod uploads;
mod waking;

use std::io::Write as _;
use std::num::NonZeroU16;
use std::time::Duration;

use private_server::PrivateServer;

use super::super::{ClaimRequest, Claimed, Store, StoreLimits};
use super::{RedisOptions, RedisStore};
use crate::clock::{Clock, ManualClock};
use crate::domain::{
    JobId, JobOptions, ModelName, NewItem, NewJob, Priority, TenantId, Timestamp, WorkerId,
};

const LEASE: Duration = Duration::from_secs(10);
const RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// Starts a server, or leaves the test where the machine has none.
macro_rules! server_or_skip {
    ($($arg:expr),*) => {
        match $crate::store::redis::tests::PrivateServer::start(&[$($arg),*]) {
            Some(server) => server,
            None => {
                let _ = writeln!(std::io::stderr(), "skipped: this machine has neither redis-server nor valkey-server");
                return;
            }
        }
    };
}
use server_or_skip;

fn options(server: &PrivateServer, clock: Clock) -> RedisOptions {
    RedisOptions {
        url: server.url(),
        shards: NonZeroU16::MIN,
        limits: StoreLimits::of_items(100_000),
        danger_allow_volatile: false,
        clock,
    }
}

async fn store(server: &PrivateServer) -> RedisStore {
    RedisStore::connect(options(server, Clock::Store)).await.unwrap()
}

async fn store_with_clock(server: &PrivateServer) -> (RedisStore, ManualClock) {
    let clock = ManualClock::at(Timestamp(1_750_000_000_000));
    let store = RedisStore::connect(options(server, Clock::Manual(clock.clone()))).await.unwrap();
    (store, clock)
}

fn tenant() -> TenantId {
    "shop".parse().unwrap()
}

fn model() -> ModelName {
    "mobilenet".parse().unwrap()
}

fn job() -> NewJob {
    NewJob {
        id: JobId::generate(),
        tenant: tenant(),
        weight: 1,
        model: model(),
        priority: Priority::Normal,
        options: JobOptions { top_k: 5, cache: true, accept_precision: None },
        metadata: serde_json::Map::new(),
        max_attempts: 3,
        retention: RETENTION,
        callback: None,
        idempotency: None,
        trace: None,
    }
}

fn urls(count: usize) -> Vec<NewItem> {
    (0..count).map(|n| NewItem::at_url(format!("https://example.com/{n}.jpg"))).collect()
}

async fn claim(store: &RedisStore, max: usize) -> Vec<Claimed> {
    let request = ClaimRequest {
        worker: WorkerId::generate(),
        model: model(),
        max,
        lease: LEASE,
        with_content: false,
    };
    store.claim(&request).await.unwrap()
}
