//! How fast live items leave the store, and so when there will be room.

use std::time::Duration;

/// Items that ended are counted in slots of so many milliseconds…
pub(super) const SLOT_MS: u64 = 10_000;

/// …of which so many are looked at, the present one included.
pub(super) const SLOTS: u64 = 6;

/// The soonest and the latest that a caller is told to come back.
const SOONEST: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(60);

/// Items that ended lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Drain {
    items: u64,
    within_ms: u64,
}

impl Drain {
    /// What the slots say: a slot's number is its time divided by [`SLOT_MS`].
    pub(super) fn of(slots: impl IntoIterator<Item = (u64, u64)>, now_ms: u64) -> Self {
        let present = now_ms / SLOT_MS;
        let recent = slots
            .into_iter()
            .filter(|(slot, items)| *items > 0 && *slot <= present && slot + SLOTS > present);
        let (first, items) =
            recent.fold((present, 0), |(first, sum), (slot, items)| (first.min(slot), sum + items));
        Self { items, within_ms: now_ms.saturating_sub(first * SLOT_MS) }
    }

    /// How long it takes at this pace until `items` have ended: 1 to 60
    /// seconds, and 60 where nothing ended within the last minute.
    pub(super) fn time_for(self, items: u64) -> Duration {
        if self.items == 0 {
            return LATEST;
        }
        let ms = u128::from(items) * u128::from(self.within_ms) / u128::from(self.items);
        Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX)).clamp(SOONEST, LATEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_what_the_last_minute_says() {
        // 300 items in 30 seconds: ten a second.
        let drain = Drain::of([(100, 100), (101, 100), (102, 100)], 1_030_000);
        assert_eq!(drain.time_for(50), Duration::from_secs(5));
        assert_eq!(drain.time_for(1), SOONEST);
        assert_eq!(drain.time_for(1_000_000), LATEST);
    }

    #[test]
    fn what_is_older_than_a_minute_does_not_count() {
        assert_eq!(Drain::of([(90, 1_000)], 1_030_000).time_for(1), LATEST);
        assert_eq!(Drain::of([], 1_030_000).time_for(1), LATEST);
    }
}
