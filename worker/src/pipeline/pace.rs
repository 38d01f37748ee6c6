//! How large batches should be: learned from what they cost, while they run.
//!
//! On a processor a large batch can cost more for each image than a small one,
//! when its values no longer fit into the caches; on another network, or device,
//! it costs less. So now and then a batch is run in the next smaller or larger
//! size, and held against the batch before it, because other work on the machine
//! slows both. What is clearly cheaper, or smaller and no dearer, is the size from
//! then on.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::plan::{Plan, Provider};

/// Comparisons that a decision is made by.
const SAMPLES: usize = 11;

/// What a larger batch may cost for each image at most, beside the smaller one:
/// images wait longer in it.
const WORTH_IT: f64 = 0.97;

/// Batches from one comparison to the next: at first, and at most.
const EVERY: (u32, u32) = (4, 64);

/// The size to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    Smallest,
    Largest,
}

impl Begin {
    /// What is likely to be best for sessions that run so: one thread of a processor
    /// takes as long for images together as for one after the other.
    pub(super) fn of(plan: &Plan) -> Self {
        match plan.provider {
            Provider::Cpu if plan.threads == NonZeroUsize::MIN => Self::Smallest,
            Provider::Cpu | Provider::OpenVino | Provider::Cuda | Provider::TensorRt => {
                Self::Largest
            }
        }
    }
}

/// The sizes of a network's batches.
#[derive(Debug)]
pub(super) struct Pace {
    /// Ascending from 1.
    sizes: Vec<usize>,
    /// Which of them is the best that is known.
    best: usize,
    /// Seconds for each image of the batch before, if it was of the best size.
    before: Option<f64>,
    /// What images cost in the next smaller and in the next larger size, as a
    /// share of what they cost in the best.
    smaller: Vec<f64>,
    larger: Vec<f64>,
    /// Whether the last comparison was to be with the larger.
    up: bool,
    /// Batches until the next comparison.
    rest: u32,
    every: u32,
}

impl Pace {
    /// One that knows nothing yet, and begins with the largest size or, where images
    /// that run together only wait for each other, with the smallest.
    pub(super) fn of(sizes: &[usize], begin: Begin) -> Self {
        let (every, _) = EVERY;
        let best = match begin {
            Begin::Smallest => 0,
            Begin::Largest => sizes.len().saturating_sub(1),
        };
        Self {
            sizes: sizes.to_vec(),
            best,
            before: None,
            smaller: Vec::new(),
            larger: Vec::new(),
            up: true,
            rest: every,
            every,
        }
    }

    /// The sizes that batches are cut in, ascending from 1 to the best.
    pub(super) fn sizes(&self) -> &[usize] {
        self.sizes.get(..=self.best).unwrap_or(&self.sizes)
    }

    /// The size to run where a batch of `cut` was cut and so many are ready: now
    /// and then another, to compare.
    pub(super) fn choose(&mut self, cut: usize, ready: usize) -> usize {
        if self.sizes.get(self.best) != Some(&cut) || self.before.is_none() {
            return cut;
        }
        self.rest = self.rest.saturating_sub(1);
        if self.rest > 0 {
            return cut;
        }
        let smaller = self.best.checked_sub(1).and_then(|place| self.sizes.get(place));
        let larger = self.sizes.get(self.best + 1).filter(|size| **size <= ready);
        self.up = !self.up;
        let next = if self.up { larger.or(smaller) } else { smaller.or(larger) };
        next.copied().unwrap_or(cut)
    }

    /// Learns from a batch that was run.
    #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
    pub(super) fn ran(&mut self, size: usize, took: Duration) {
        let cost = took.as_secs_f64() / size.max(1) as f64;
        let Some(place) = self.sizes.iter().position(|known| *known == size) else { return };
        if place == self.best {
            self.before = Some(cost);
            return;
        }
        let Some(before) = self.before.take() else { return };
        // One that was meant, and not a batch of fewer images that were there.
        if self.rest > 0 || place.abs_diff(self.best) != 1 {
            return;
        }
        self.rest = self.every;
        if before <= 0.0 {
            return;
        }
        let (samples, most) =
            if place < self.best { (&mut self.smaller, 1.0) } else { (&mut self.larger, WORTH_IT) };
        samples.push(cost / before);
        if samples.len() < SAMPLES {
            return;
        }
        let better = median(samples) <= most;
        samples.clear();
        let (at_first, at_most) = EVERY;
        if better {
            self.best = place;
            self.before = None;
            self.smaller.clear();
            self.larger.clear();
            tracing::debug!(size, "the best size of batches");
        }
        self.every = if better { at_first } else { (2 * self.every).min(at_most) };
        self.rest = self.every;
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [usize; 4] = [1, 2, 4, 8];

    /// The best size after many batches, where images cost so much in a batch of
    /// each size, on a machine that is now faster and now slower.
    fn learned(batches: usize, ready: usize, costs: impl Fn(usize) -> f64) -> usize {
        learned_from(Begin::Largest, batches, ready, costs)
    }

    fn learned_from(
        begin: Begin,
        batches: usize,
        ready: usize,
        costs: impl Fn(usize) -> f64,
    ) -> usize {
        let mut pace = Pace::of(&SIZES, begin);
        for batch in 0..batches {
            let largest = *pace.sizes().last().unwrap();
            let cut = SIZES.into_iter().rfind(|size| *size <= ready.min(largest)).unwrap();
            let size = pace.choose(cut, ready);
            let speed = 1.0 + 0.5 * ((batch / 40) % 3) as f64;
            let noise = 1.0 + 0.02 * ((batch * 7919) % 5) as f64;
            pace.ran(size, Duration::from_secs_f64(costs(size) * size as f64 * speed * noise));
        }
        *pace.sizes().last().unwrap()
    }

    #[test]
    fn the_size_is_learned_in_which_images_cost_least() {
        let small = |size| [1.0, 0.8, 0.95, 1.1][SIZES.iter().position(|s| *s == size).unwrap()];
        assert_eq!(learned(3000, 16, small), 2);
        assert_eq!(learned(3000, 16, |size| 1.0 / size as f64), 8);
        assert_eq!(learned(3000, 16, |size| size as f64), 1);
    }

    #[test]
    fn from_the_smallest_size_larger_ones_are_learned_that_cost_less() {
        let begin = Begin::Smallest;
        assert_eq!(learned_from(begin, 3000, 16, |size| 1.0 / size as f64), 8);
        assert_eq!(learned_from(begin, 3000, 16, |_| 1.0), 1);
    }

    #[test]
    fn of_sizes_that_cost_the_same_the_smaller_is_the_better() {
        assert_eq!(learned(3000, 16, |_| 1.0), 1);
    }

    #[test]
    fn what_changes_is_learned_anew() {
        let mut pace = Pace::of(&SIZES, Begin::Largest);
        let mut run = |batches, cost: fn(usize) -> f64| {
            for _ in 0..batches {
                let largest = *pace.sizes().last().unwrap();
                let size = pace.choose(largest, 16);
                pace.ran(size, Duration::from_secs_f64(cost(size) * size as f64));
            }
            *pace.sizes().last().unwrap()
        };
        assert_eq!(run(2000, |size| size as f64), 1);
        assert_eq!(run(9000, |size| 1.0 / size as f64), 8);
    }

    #[test]
    fn nothing_is_learned_from_batches_that_only_had_few_images() {
        assert_eq!(learned(3000, 3, |size| size as f64), 8);
    }

    #[test]
    fn comparisons_are_few_once_nothing_changes() {
        let mut pace = Pace::of(&SIZES, Begin::Largest);
        let mut others = 0;
        for batch in 0..20_000 {
            let size = pace.choose(*pace.sizes().last().unwrap(), 16);
            others += usize::from(batch >= 10_000 && size != *pace.sizes().last().unwrap());
            pace.ran(size, Duration::from_secs_f64(1.0));
        }
        assert!(others <= 10_000 / 60, "{others}");
    }
}
