//! The store's part in saying no: rates, caps and switches that every process
//! of the service sees alike.

use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::TenantId;

/// What a store may hold before it takes no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreLimits {
    /// Items that may be live at once, over all tenants.
    pub items: u64,
    /// Items of one tenant that may be live at once.
    pub tenant_items: u64,
    /// Bytes of uploads whose items are live, over all tenants.
    pub upload_bytes: u64,
}

impl StoreLimits {
    /// So many live items, and no other limit.
    #[must_use]
    pub const fn of_items(items: u64) -> Self {
        Self { items, tenant_items: u64::MAX, upload_bytes: u64::MAX }
    }
}

/// What of a store is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cap {
    /// The live items of all tenants.
    Items,
    /// The live items of the tenant.
    TenantItems,
    /// The bytes of uploads that wait.
    UploadBytes,
}

/// What a host or a server has too little of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// A server's memory.
    Memory,
    /// The disk of the database or of the uploads.
    Disk,
}

/// How often something may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Units, at least 1: so many at once, and no more in the long run than
    /// that many a window.
    pub quota: u32,
    /// The window. One unit comes back every `window / quota`.
    pub window: Duration,
}

impl Rate {
    /// So many a minute; at least one.
    #[must_use]
    pub fn per_minute(quota: u32) -> Self {
        Self { quota: quota.max(1), window: Duration::from_secs(60) }
    }

    /// Milliseconds after which a unit that was taken is back.
    pub(super) fn interval_ms(self) -> f64 {
        self.window_ms() / f64::from(self.quota.max(1))
    }

    /// The window in milliseconds.
    pub(super) fn window_ms(self) -> f64 {
        self.window.as_secs_f64() * 1_000.0
    }
}

/// What a limiter says of a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Taken {
    /// Whether it may be done. If not, nothing was taken.
    pub allowed: bool,
    /// Whole units that could be taken right now.
    pub remaining: u32,
    /// Until the whole quota is back.
    pub reset: Duration,
    /// Until the request would be allowed; zero where it is.
    pub retry_after: Duration,
}

/// The generic cell rate algorithm (ITU-T I.371, annex A, as a virtual
/// scheduling algorithm): a bucket is one number, the theoretical arrival time
/// of the next unit. `now` and the times are milliseconds of one clock.
/// Answers the verdict and the bucket's new number.
///
/// `redis/scripts/take.lua` is this function in Lua.
pub(super) fn take(tat: Option<f64>, now: f64, cost: u32, rate: Rate) -> (Taken, f64) {
    let (interval, window) = (rate.interval_ms(), rate.window_ms());
    // No bucket is emptier than empty; one that seems so was written before
    // the clock was set back.
    let tat = tat.unwrap_or(now).clamp(now, now + window);
    let next = tat + f64::from(cost) * interval;
    let early = next - window - now;
    // A unit's share of the window may not be a whole number.
    let allowed = early <= 1e-3;
    let kept = if allowed { next } else { tat };
    (verdict(allowed, early, kept - now, rate), kept)
}

/// The verdict behind what a limiter has computed: how many milliseconds the
/// request came too early, and how many of the window are used up.
pub(super) fn verdict(allowed: bool, early: f64, used: f64, rate: Rate) -> Taken {
    let free = ((rate.window_ms() - used + 1e-3) / rate.interval_ms()).floor();
    let span = |ms: f64| Duration::from_secs_f64(ms.max(0.0) / 1_000.0);
    Taken {
        allowed,
        // Between 0 and the quota, and so in range.
        remaining: free.clamp(0.0, f64::from(rate.quota)) as u32,
        reset: span(used),
        retry_after: if allowed { Duration::ZERO } else { span(early) },
    }
}

/// Something that an operator turns on and off for all processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Switch {
    /// On: no job is taken in.
    IntakeClosed,
    /// On: no item is handed out.
    Paused,
}

impl Switch {
    /// Its word in the stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IntakeClosed => "closed",
            Self::Paused => "paused",
        }
    }
}

/// How the switches stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Switches {
    /// No job is taken in.
    pub intake_closed: bool,
    /// No item is handed out.
    pub paused: bool,
}

/// Limits over all processes. Every verb may be repeated after
/// [`StoreError::Unavailable`].
#[async_trait]
pub trait Limits: Send + Sync + 'static {
    /// Takes `cost` units out of a bucket, all or none, by the store's clock.
    /// A bucket is whole until first taken from. Repeating takes again.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn take(&self, bucket: &str, cost: u32, rate: Rate) -> Result<Taken, StoreError>;

    /// Whether a job of one small item would be taken in now: what
    /// [`Store::enqueue`](super::Store::enqueue) decides for good, asked
    /// before a body is read. Costs one round trip and writes nothing.
    ///
    /// # Errors
    /// [`StoreError::Closed`], [`StoreError::Full`] or
    /// [`StoreError::Exhausted`] where it would not.
    async fn admits(&self, tenant: &TenantId) -> Result<(), StoreError>;

    /// How the switches stand.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn switches(&self) -> Result<Switches, StoreError>;

    /// Turns a switch on or off. Repeating it is harmless.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn set_switch(&self, switch: Switch, on: bool) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { quota: 3, window: Duration::from_secs(60) };

    /// Takes one unit at each of these seconds: who was let through.
    fn run(seconds: &[u32]) -> Vec<bool> {
        let mut tat = None;
        let times = seconds.iter().map(|second| 1e12 + f64::from(*second) * 1_000.0);
        times
            .map(|now| {
                let (taken, kept) = take(tat, now, 1, RATE);
                tat = Some(kept);
                taken.allowed
            })
            .collect()
    }

    #[test]
    fn a_quota_may_be_taken_at_once_and_comes_back_evenly() {
        assert_eq!(run(&[0, 0, 0, 0]), [true, true, true, false]);
        assert_eq!(run(&[0, 0, 0, 19, 20, 20, 40]), [true, true, true, false, true, false, true]);
        assert_eq!(run(&[0, 0, 0, 60, 60, 60, 60]), [true, true, true, true, true, true, false]);
    }

    #[test]
    fn a_refusal_says_when_to_come_back_and_that_holds() {
        let mut tat = None;
        for _ in 0..3 {
            tat = Some(take(tat, 5e11, 1, RATE).1);
        }
        let (refused, kept) = take(tat, 5e11, 1, RATE);
        assert_eq!((refused.allowed, refused.remaining), (false, 0));
        let again = 5e11 + refused.retry_after.as_secs_f64() * 1_000.0;
        assert!(take(Some(kept), again, 1, RATE).0.allowed);
        assert!(!take(Some(kept), again - 10.0, 1, RATE).0.allowed);
    }

    #[test]
    fn a_bucket_written_by_a_clock_that_was_ahead_is_empty_for_a_window_at_most() {
        let (taken, _) = take(Some(9e12), 5e11, 1, RATE);
        assert!(!taken.allowed);
        assert!(taken.retry_after <= RATE.window, "{taken:?}");
    }

    #[test]
    fn more_than_the_quota_is_never_allowed_and_takes_nothing() {
        let (taken, kept) = take(None, 5e11, 4, RATE);
        assert_eq!((taken.allowed, taken.remaining), (false, 3));
        assert!((kept - 5e11).abs() < f64::EPSILON);
    }
}
