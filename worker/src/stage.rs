//! What the stages have in common: how they take their time.

use std::time::{Duration, Instant};

/// Milliseconds since `start`, as results carry them.
pub(crate) fn milliseconds(start: Instant) -> f32 {
    in_milliseconds(start.elapsed())
}

/// A time as results carry it.
pub(crate) const fn in_milliseconds(time: Duration) -> f32 {
    time.as_secs_f32() * 1000.0
}
