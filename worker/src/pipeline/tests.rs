//! What tests of several stages begin with.

use std::path::Path;
use std::time::Duration;

use aisle_shared::clock::Clock;
use aisle_shared::disk::Reserve;
use aisle_shared::domain::{JobId, JobOptions, ModelName, NewJob, Priority, TenantId};
use aisle_shared::store::{SqliteOptions, SqliteStore, StoreLimits};

/// An empty store in a folder.
pub(super) fn store(folder: &Path, clock: Clock) -> SqliteStore {
    SqliteStore::open(SqliteOptions {
        path: folder.join("aisle.db"),
        limits: StoreLimits::of_items(1_000),
        reserve: Reserve::NONE,
        ballast: 0,
        clock,
    })
    .unwrap()
}

/// A job for a model, which may be tried once.
pub(super) fn job(model: ModelName) -> NewJob {
    NewJob {
        id: JobId::generate(),
        tenant: TenantId::default_tenant(),
        weight: 1,
        model,
        priority: Priority::Normal,
        options: JobOptions { top_k: 1, cache: true, accept_precision: None },
        metadata: serde_json::Map::new(),
        max_attempts: 1,
        retention: Duration::from_secs(3_600),
        callback: None,
        idempotency: None,
        trace: None,
    }
}
