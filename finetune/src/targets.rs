//! What the answers of a batch are held against: labels with some of their
//! share spread over all categories (Szegedy et al. 2016), and beside them what
//! a teacher says; weighted so that large categories do not drown small ones,
//! and mixed as the pictures are (Zhang et al. 2018, "mixup").

use aisle_train::head::weights;
use ndarray::Array2;
use rand::rngs::StdRng;
use rand_distr::{Beta, Distribution as _};

/// Labels with what each picture counts.
#[derive(Debug)]
pub(crate) struct Targets {
    labels: Vec<usize>,
    /// What each picture counts: 1 in the mean.
    counts: Vec<f32>,
    categories: usize,
    smoothing: f32,
    taught: Option<Taught>,
}

/// What a teacher says.
#[derive(Debug)]
pub(crate) struct Taught {
    /// The share of each category in each picture: `[N, categories]`.
    pub(crate) shares: Array2<f64>,
    /// How much of a target it says; the label says the rest.
    pub(crate) weight: f64,
}

impl Targets {
    #[expect(clippy::cast_precision_loss, reason = "counts of pictures are far below 2^52")]
    #[expect(clippy::cast_possible_truncation, reason = "the loss is of single precision")]
    pub(crate) fn new(labels: &[usize], categories: usize, balance: f64, smoothing: f64) -> Self {
        let all = labels.len() as f32;
        let counts = weights(labels, balance).into_iter().map(|share| share * all).collect();
        let smoothing = smoothing as f32;
        Self { labels: labels.to_vec(), counts, categories, smoothing, taught: None }
    }

    /// The same with a teacher.
    pub(crate) fn taught(self, taught: Taught) -> Self {
        Self { taught: Some(taught), ..self }
    }

    /// The labels of pictures.
    pub(crate) fn labels(&self, places: &[usize]) -> Vec<usize> {
        places.iter().map(|place| self.labels.get(*place).copied().unwrap_or_default()).collect()
    }

    /// The targets of pictures, into each of which `mixed` of the next is
    /// mixed and of the first into the last: `[N, categories]`.
    pub(crate) fn of(&self, places: &[usize], mixed: f32) -> Vec<f32> {
        let plain: Vec<Vec<f32>> = places.iter().map(|place| self.row(*place)).collect();
        let next = plain.iter().cycle().skip(1);
        let rows = plain.iter().zip(next).flat_map(|(own, next)| {
            own.iter().zip(next).map(|(own, next)| own * (1.0 - mixed) + next * mixed)
        });
        rows.collect()
    }

    #[expect(clippy::cast_precision_loss, reason = "there are far fewer than 2^24 categories")]
    #[expect(clippy::cast_possible_truncation, reason = "the loss is of single precision")]
    fn row(&self, place: usize) -> Vec<f32> {
        let count = self.counts.get(place).copied().unwrap_or_default();
        let spread = count * self.smoothing / self.categories as f32;
        let mut row = vec![spread; self.categories];
        let label = self.labels.get(place).and_then(|label| row.get_mut(*label));
        if let Some(share) = label {
            *share += count * (1.0 - self.smoothing);
        }
        if let Some(Taught { shares, weight }) = &self.taught {
            let said = shares.outer_iter().nth(place);
            for (target, said) in row.iter_mut().zip(said.iter().flatten()) {
                let weight = *weight as f32;
                *target = *target * (1.0 - weight) + count * *said as f32 * weight;
            }
        }
        row
    }
}

/// How much of the next picture is mixed into each of a batch: at most half.
pub(crate) fn mixed(parameter: f64, random: &mut StdRng) -> f32 {
    // Without a parameter there is no such distribution.
    let Ok(beta) = Beta::new(parameter, parameter) else { return 0.0 };
    let share: f64 = beta.sample(random);
    #[expect(clippy::cast_possible_truncation, reason = "pictures are of single precision")]
    let share = share.min(1.0 - share) as f32;
    share
}

#[cfg(test)]
mod tests {
    use super::*;
    use aisle_train::random::generator;

    #[test]
    fn a_target_gives_the_label_its_share_and_spreads_the_rest() {
        let targets = Targets::new(&[0, 1], 4, 0.0, 0.2);
        let expected = [0.85, 0.05, 0.05, 0.05, 0.05, 0.85, 0.05, 0.05];
        let found = targets.of(&[0, 1], 0.0);
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
    }

    #[test]
    fn a_teacher_says_its_part_and_the_label_the_rest() {
        let shares = ndarray::arr2(&[[0.6, 0.4], [0.0, 1.0]]);
        let targets = Targets::new(&[0, 1], 2, 0.0, 0.0).taught(Taught { shares, weight: 0.5 });
        let found = targets.of(&[0, 1], 0.0);
        let expected = [0.8, 0.2, 0.0, 1.0];
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
    }

    #[test]
    fn mixing_gives_the_next_picture_its_share() {
        let targets = Targets::new(&[0, 1, 2], 3, 0.0, 0.0);
        let found = targets.of(&[0, 1, 2], 0.25);
        let expected = [0.75, 0.25, 0.0, 0.0, 0.75, 0.25, 0.25, 0.0, 0.75];
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
    }

    #[test]
    fn a_picture_of_a_rare_category_counts_more() {
        let targets = Targets::new(&[0, 0, 0, 1], 2, 1.0, 0.0);
        let found = targets.of(&[0, 3], 0.0);
        assert!((found[3] / found[0] - 3.0).abs() < 1e-5, "{found:?}");
    }

    #[test]
    fn no_more_than_half_is_mixed_in_and_nothing_without_a_parameter() {
        let shares: Vec<f32> =
            (0..200).map(|nth| mixed(0.4, &mut generator(0, "mix", [nth, 0]))).collect();
        assert!(shares.iter().all(|share| (0.0..=0.5).contains(share)));
        assert!(shares.iter().any(|share| *share > 0.3));
        assert!(mixed(0.0, &mut generator(0, "mix", [0, 0])).abs() < f32::EPSILON);
    }
}
