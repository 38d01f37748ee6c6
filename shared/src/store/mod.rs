//! The store: jobs, items, leases and results, and the transitions between
//! their states. Each verb of [`Store`] is one atomic transition, so there is
//! no queue beside a result table to keep in step.
//!
//! What must never happen: an acknowledged job lost, a result overwritten, an
//! item moved by someone who does not hold its lease (but for the reaper,
//! once the lease has expired), a terminal job or item moved at all.

mod cache;
mod drain;
mod ended;
mod error;
mod keys;
mod limits;
mod redis;
mod sqlite;
mod submit;
mod verbs;
mod wake;
mod webhooks;

use std::time::Duration;

pub use cache::{Cache, CacheKey, CacheLimits, MAX_CACHED_BYTES, MAX_CACHED_PER_CALL};
pub use error::StoreError;
pub use keys::{Keys, MAX_KEYS};
pub use limits::{Cap, Limits, Rate, Resource, StoreLimits, Switch, Switches, Taken};
pub(crate) use redis::Server as RedisServer;
pub use redis::{RedisOptions, RedisStore};
pub use sqlite::{SqliteOptions, SqliteStore};
pub use submit::submit;
use submit::{check_content, check_route};
pub use verbs::{
    Canceled, ClaimRequest, Claimed, DeadLetter, Deleted, Enqueued, Extended, Found, JobFilter,
    JobPage, LaneStats, Lease, LeaseToken, ListPosition, Reaped, Recorded, Retried, Stats, Store,
    Swept, WebhookStats,
};
pub use wake::{JobWatch, Wakers};
pub use webhooks::{
    ATTEMPTS_KEPT, BREAKER_AFTER, BREAKER_FIRST, BREAKER_LONGEST, DELIVERY_RETENTION,
    DISABLED_AFTER, DeliveryClaim, DeliveryFilter, DeliveryPage, DeliveryPosition, MAX_ENDPOINTS,
    Settled, Verdict, Webhooks,
};

/// Items that one call of [`Store::enqueue`] or [`Store::append`] takes.
pub const MAX_ITEMS_PER_CALL: usize = 200;

/// Bytes of uploads that one call of [`Store::enqueue`] takes along, and one of
/// [`Store::claim`] brings.
pub const MAX_CONTENT_BYTES: usize = 1024 * 1024;

/// Items that one call of [`Store::claim`] hands out at most.
pub const MAX_CLAIMED_PER_CALL: usize = 256;

/// Items that one job may have.
pub const MAX_ITEMS_PER_JOB: u32 = 10_000;

/// Bytes that one item's outcome may have as JSON.
pub const MAX_OUTCOME_BYTES: usize = 1024 * 1024;

/// Crashes of a worker that held an item alone before it is a dead letter.
pub const MAX_SOLO_CRASHES: u32 = 2;

/// Crashes of workers that held an item, in all, before it is a dead letter.
pub const MAX_CRASHES: u32 = 10;

/// The longest lease that is granted; a longer wish is cut to it. One that
/// runs out later than twice this from now was written by a clock that was
/// wrong, and is taken back.
pub const LONGEST_LEASE: Duration = Duration::from_secs(60 * 60);
