//! The store's two clocks: the wall clock for what people read, and for
//! leases one that no correction of the wall clock moves.
//!
//! `CLOCK_BOOTTIME` counts on through suspend and starts anew at boot, so a
//! lease also keeps the id of the boot that it was counted in.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::values::duration_millis;
use crate::clock::Clock;
use crate::domain::Timestamp;
use crate::store::StoreError;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Where the store's steps take the time from.
#[derive(Debug, Clone)]
pub(super) struct StoreClock {
    wall: Clock,
    boot: String,
}

/// One instant on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment<'a> {
    /// The wall clock.
    pub(super) wall: Timestamp,
    /// The boot that `since_boot_ms` counts from.
    pub(super) boot: &'a str,
    /// Milliseconds since that boot.
    pub(super) since_boot_ms: i64,
}

impl StoreClock {
    /// The clock of this boot of this host.
    pub(super) fn of_this_boot(wall: Clock) -> Result<Self, StoreError> {
        let boot = fs::read_to_string(BOOT_ID)
            .map_err(|error| StoreError::Config(format!("{BOOT_ID} cannot be read: {error}")))?;
        Ok(Self::of_boot(wall, boot.trim()))
    }

    /// The clock of a boot with that id.
    pub(super) fn of_boot(wall: Clock, boot: &str) -> Self {
        Self { wall, boot: boot.to_owned() }
    }

    /// Now. A held clock is held for leases too.
    pub(super) fn moment(&self) -> Moment<'_> {
        let pinned = self.wall.pinned();
        Moment {
            wall: pinned.unwrap_or_else(Timestamp::now),
            boot: &self.boot,
            since_boot_ms: match pinned {
                Some(held) => i64::try_from(held.0).unwrap_or(i64::MAX),
                None => since_boot_ms(),
            },
        }
    }
}

impl Moment<'_> {
    /// When a lease that begins now ends, in milliseconds since the boot.
    pub(super) fn lease_until(&self, lease: Duration) -> i64 {
        self.since_boot_ms.saturating_add(duration_millis(lease))
    }

    /// The wall clock's time that much earlier.
    pub(super) fn ago(&self, age: Duration) -> Timestamp {
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        Timestamp(self.wall.0.saturating_sub(age))
    }
}

fn since_boot_ms() -> i64 {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec.saturating_mul(1000).saturating_add(now.tv_nsec / 1_000_000)
}
