//! What a Redis store needs to be told.

use std::fmt;
use std::num::NonZeroU16;

use crate::clock::Clock;
use crate::store::StoreLimits;

/// How to reach a Redis store.
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://`, `rediss://` or `redis+unix://` URL of a server, or
    /// `redis+cluster://` or `rediss+cluster://` with some nodes of a cluster;
    /// may hold a password, so it is never logged.
    pub url: String,
    /// Into how many shards it is parted; the same in every process.
    pub shards: NonZeroU16,
    /// What it may hold.
    pub limits: StoreLimits,
    /// Accept a server that keeps nothing over a restart (`appendonly no`).
    pub danger_allow_volatile: bool,
    /// Where the time comes from.
    pub clock: Clock,
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("url", &"(not shown)")
            .field("shards", &self.shards)
            .field("limits", &self.limits)
            .field("danger_allow_volatile", &self.danger_allow_volatile)
            .field("clock", &self.clock)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_as_text_hold_no_password() {
        let options = RedisOptions {
            url: "redis://shop:hunter2@localhost".to_owned(),
            shards: NonZeroU16::MIN,
            limits: StoreLimits::of_items(1),
            danger_allow_volatile: false,
            clock: Clock::Store,
        };
        assert!(!format!("{options:?}").contains("hunter2"));
    }
}
