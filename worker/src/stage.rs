//! What the stages have in common: how they take their time.

use std::time::Instant;

/// Milliseconds since `start`, as results carry them.
pub(crate) fn milliseconds(start: Instant) -> f32 {
    start.elapsed().as_secs_f32() * 1000.0
}
