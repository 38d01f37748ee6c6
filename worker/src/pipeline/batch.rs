//! When the network is free and some items are ready: run them now, or wait
//! for those that are on their way?

use std::time::Duration;

/// What to do while the network is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Run that many items.
    Now {
        /// How many: a batch size, none of it padding.
        size: usize,
        /// Why now.
        reason: Reason,
    },
    /// Wait for another item, so long at most.
    Wait(Duration),
}

/// Why a batch was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// It is as large as is good.
    Full,
    /// Nothing else is on its way.
    Alone,
    /// Its oldest item has waited long enough.
    Waited,
}

impl Reason {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Alone => "alone",
            Self::Waited => "waited",
        }
    }
}

/// What is known when the network is free.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment<'a> {
    /// Batch sizes, ascending from 1 to the one that is best.
    pub(super) sizes: &'a [usize],
    /// Items that are ready, at least one.
    pub(super) ready: usize,
    /// Items that are on their way.
    pub(super) coming: usize,
    /// How long the oldest has been ready.
    pub(super) waited: Duration,
    /// How long it may wait.
    pub(super) max_wait: Duration,
}

/// Cuts a batch or waits.
pub(super) fn decide(moment: Moment<'_>) -> Cut {
    let Moment { sizes, ready, coming, waited, max_wait } = moment;
    let largest = sizes.last().copied().unwrap_or(1);
    let reason = if ready >= largest {
        Reason::Full
    } else if coming == 0 {
        Reason::Alone
    } else if waited >= max_wait {
        Reason::Waited
    } else {
        return Cut::Wait(max_wait - waited);
    };
    let size = sizes.iter().copied().rfind(|size| *size <= ready).unwrap_or(1);
    Cut::Now { size, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_WAIT: Duration = Duration::from_millis(2);

    fn cut(ready: usize, coming: usize, waited_us: u64) -> Cut {
        let waited = Duration::from_micros(waited_us);
        decide(Moment { sizes: &[1, 2, 4, 8], ready, coming, waited, max_wait: MAX_WAIT })
    }

    #[test]
    fn a_single_item_with_nothing_behind_it_runs_at_once() {
        assert_eq!(cut(1, 0, 0), Cut::Now { size: 1, reason: Reason::Alone });
    }

    #[test]
    fn a_full_batch_runs_at_once() {
        assert_eq!(cut(8, 5, 0), Cut::Now { size: 8, reason: Reason::Full });
        assert_eq!(cut(11, 5, 0), Cut::Now { size: 8, reason: Reason::Full });
    }

    #[test]
    fn items_wait_for_others_only_until_the_oldest_has_waited_long_enough() {
        assert_eq!(cut(3, 5, 500), Cut::Wait(Duration::from_micros(1500)));
        assert_eq!(cut(3, 5, 2000), Cut::Now { size: 2, reason: Reason::Waited });
    }

    #[test]
    fn a_batch_has_a_size_that_the_network_has_run_before() {
        assert_eq!(cut(7, 0, 0), Cut::Now { size: 4, reason: Reason::Alone });
    }
}
