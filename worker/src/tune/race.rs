//! Two networks in turns: whatever slows the machine slows both.

use std::time::{Duration, Instant};

use crate::network::Network;
use crate::session::SessionError;

/// How long a race goes on at most, its least rounds aside.
const LENGTH: Duration = Duration::from_millis(900);

/// Rounds at least and at most.
const ROUNDS: std::ops::RangeInclusive<usize> = 3..=15;

/// What a race measured: medians.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ran {
    /// Seconds of a full batch.
    pub(super) batch: f64,
    /// Seconds of one image alone.
    pub(super) single: f64,
    /// The reference's batch divided by it, round by round.
    pub(super) speed: f64,
    /// The same in all but the slowest quarter of the rounds.
    pub(super) speed_at_least: f64,
    /// Its single image divided by the reference's, round by round.
    pub(super) single_ratio: f64,
    /// Seconds of the reference's full batch.
    pub(super) reference_batch: f64,
    /// Seconds of the reference's single image.
    pub(super) reference_single: f64,
}

/// Lets both run the same images, a batch and then one alone, in turns.
///
/// # Errors
/// When one of them cannot.
pub(super) fn race(
    reference: &mut Network,
    other: &mut Network,
    batch: &[&[f32]],
) -> Result<Ran, SessionError> {
    let start = Instant::now();
    let mut rounds: Vec<[f64; 4]> = Vec::new();
    let one = batch.get(..1).unwrap_or(batch);
    while rounds.len() < *ROUNDS.start()
        || (rounds.len() < *ROUNDS.end() && start.elapsed() < LENGTH)
    {
        rounds.push([
            seconds(reference, batch)?,
            seconds(other, batch)?,
            seconds(reference, one)?,
            seconds(other, one)?,
        ]);
    }
    let of = |value: fn([f64; 4]) -> f64| median(rounds.iter().copied().map(value).collect());
    let speeds: Vec<f64> = rounds.iter().map(|[reference, other, ..]| reference / other).collect();
    Ok(Ran {
        batch: of(|[_, other, ..]| other),
        single: of(|[.., other]| other),
        speed: median(speeds.clone()),
        speed_at_least: ranked(speeds, 4),
        single_ratio: of(|[.., reference, other]| other / reference),
        reference_batch: of(|[reference, ..]| reference),
        reference_single: of(|[_, _, reference, _]| reference),
    })
}

fn seconds(network: &mut Network, images: &[&[f32]]) -> Result<f64, SessionError> {
    let start = Instant::now();
    network.try_run(images)?;
    Ok(start.elapsed().as_secs_f64())
}

/// The middle value; of an even number, the upper of the two.
fn median(values: Vec<f64>) -> f64 {
    ranked(values, 2)
}

/// The value that one of `parts` equal parts of the values is below.
fn ranked(mut values: Vec<f64>, parts: usize) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / parts).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_not_moved_by_one_slow_round() {
        assert!((median(vec![1.0, 99.0, 1.2]) - 1.2).abs() < 1e-9);
        assert!((ranked(vec![1.4, 0.2, 1.3, 1.1, 1.2], 4) - 1.1).abs() < 1e-9);
    }
}
