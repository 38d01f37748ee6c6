//! The clock that a store reads, so that tests can hold it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::domain::Timestamp;

/// Where a store takes the time from.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The store's own: Redis' server time, this host's clock for SQLite.
    #[default]
    Store,
    /// A clock that only moves when told to. For tests.
    Manual(ManualClock),
}

impl Clock {
    /// The time to use instead of the store's own, if any.
    #[must_use]
    pub fn pinned(&self) -> Option<Timestamp> {
        match self {
            Self::Store => None,
            Self::Manual(clock) => Some(clock.now()),
        }
    }
}

/// A clock that stands still until advanced. Clones share their hands.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn at(start: Timestamp) -> Self {
        Self(Arc::new(AtomicU64::new(start.0)))
    }

    /// What the clock shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}
