//! The store for many machines: Redis 7 or Valkey, one Lua script a transition.

use crate::clock::Clock;

/// How to reach a Redis store.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// `redis://` or `rediss://` URL; may hold a password, so it is never logged.
    pub url: String,
    /// Items that may be live at once.
    pub max_live_items: u64,
    /// Accept a server that keeps nothing over a restart (`appendonly no`).
    pub danger_allow_volatile: bool,
    /// Where the time comes from.
    pub clock: Clock,
}

/// Jobs in Redis.
#[derive(Debug)]
pub struct RedisStore {}
