//! Medians, ranges, percentiles and ratios, all by rounds.

/// The middle of some rounds and how far they lie apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// The middle value; of an even number the mean of the two in the middle.
    pub median: f64,
    /// The smallest value.
    pub least: f64,
    /// The largest value.
    pub most: f64,
}

impl Summary {
    /// What stands in the middle and at the ends; `None` of nothing.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let below = if sorted.len().is_multiple_of(2) { middle - 1 } else { middle };
        Some(Self { median: f64::midpoint(sorted[below], sorted[middle]), least, most })
    }
}

/// One value over another of the same round, for each round that both have.
/// A machine that is slow for a minute is slow for both, and the ratio stays.
#[must_use]
pub fn ratios(of: &[f64], over: &[f64]) -> Vec<f64> {
    of.iter().zip(over).map(|(of, over)| of / over).collect()
}

/// One value less another of the same round.
#[must_use]
pub fn differences(of: &[f64], less: &[f64]) -> Vec<f64> {
    of.iter().zip(less).map(|(of, less)| of - less).collect()
}

/// The smallest value that at least that share (0 to 1) of all values does
/// not exceed (the nearest rank); `None` of nothing.
#[must_use]
pub fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        let odd = Summary::of(&[9.0, 1.0, 2.0]).unwrap();
        assert_eq!(odd, Summary { median: 2.0, least: 1.0, most: 9.0 });
        assert_eq!(Summary::of(&[4.0, 1.0, 2.0, 9.0]).unwrap().median, 3.0);
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn ratios_are_formed_within_a_round_and_not_between_medians() {
        // The machine was half as fast in the second round.
        assert_eq!(ratios(&[90.0, 45.0, 80.0], &[100.0, 50.0, 100.0]), [0.9, 0.9, 0.8]);
        assert_eq!(ratios(&[90.0, 45.0], &[100.0]), [0.9]);
        assert_eq!(differences(&[5.0, 7.0], &[4.0, 5.0]), [1.0, 2.0]);
    }

    #[test]
    fn a_percentile_is_a_value_that_was_seen() {
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&hundred, 0.5), Some(50.0));
        assert_eq!(percentile(&hundred, 0.99), Some(99.0));
        assert_eq!(percentile(&hundred, 1.0), Some(100.0));
        assert_eq!(percentile(&[7.0], 0.0), Some(7.0));
        assert_eq!(percentile(&[], 0.5), None);
    }
}
