//! The learning rate of each step, and when learning ends, by what the epochs
//! before have brought: nothing else is remembered.

use std::f64::consts::PI;

use aisle_train::road::tuning::{Epoch, Rules, Schedule};

/// Epochs without improvement that lower the rate on a plateau.
const PLATEAU: usize = 2;
/// What the rate is lowered to.
const LOWERED: f64 = 1.0 / 3.0;

/// The learning rate of a step, counted over all epochs.
pub(crate) fn rate(rules: &Rules, step: usize, steps_of_epoch: usize, done: &[Epoch]) -> f64 {
    let (step, each) = (float(step), float(steps_of_epoch.max(1)));
    let warm = rules.warm_up * each;
    if step < warm {
        return rules.learning_rate * (step + 1.0) / warm.max(1.0);
    }
    match rules.schedule {
        Schedule::Cosine => {
            let all = (float(rules.epochs) * each - warm).max(1.0);
            let progress = ((step - warm) / all).min(1.0);
            rules.learning_rate * (1.0 + (PI * progress).cos()) / 2.0
        }
        Schedule::Plateau => rules.learning_rate * LOWERED.powi(plateaus(done)),
    }
}

/// The epoch that serves unseen pictures best, the first among equals.
pub(crate) fn best(done: &[Epoch]) -> Option<&Epoch> {
    done.iter().min_by(|a, b| a.log_loss.total_cmp(&b.log_loss))
}

/// Whether learning ends.
pub(crate) fn is_over(rules: &Rules, done: &[Epoch]) -> bool {
    let last = done.last().map_or(0, |epoch| epoch.epoch);
    let since = last.saturating_sub(best(done).map_or(0, |best| best.epoch));
    last >= rules.epochs || since >= rules.patience
}

/// How often the rate was lowered.
fn plateaus(done: &[Epoch]) -> i32 {
    let (mut best, mut worse, mut plateaus) = (f64::INFINITY, 0, 0);
    for epoch in done {
        if epoch.log_loss < best {
            (best, worse) = (epoch.log_loss, 0);
        } else {
            worse += 1;
        }
        if worse == PLATEAU {
            (worse, plateaus) = (0, plateaus + 1);
        }
    }
    plateaus
}

#[expect(clippy::cast_precision_loss, reason = "counts of steps are far below 2^52")]
const fn float(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(losses: &[f64]) -> Vec<Epoch> {
        let epoch = |(epoch, log_loss): (usize, &f64)| Epoch {
            epoch,
            learning_rate: 0.0,
            loss: 0.0,
            train_top_1: 0.0,
            log_loss: *log_loss,
            top_1: 0.0,
        };
        losses.iter().enumerate().map(epoch).collect()
    }

    fn rules(schedule: Schedule) -> Rules {
        let warm_up = 1.0;
        Rules { learning_rate: 0.9, warm_up, epochs: 10, patience: 3, schedule, ..Rules::default() }
    }

    #[test]
    fn the_rate_rises_then_falls_along_half_a_cosine_to_nothing() {
        let rules = rules(Schedule::Cosine);
        let rates: Vec<f64> = (0..=100).map(|step| rate(&rules, step, 10, &[])).collect();
        assert!((rates[0] - 0.09).abs() < 1e-12 && (rates[9] - 0.9).abs() < 1e-12);
        assert!((rates[10] - 0.9).abs() < 1e-12 && (rates[55] - 0.45).abs() < 1e-12);
        assert!(rates[100].abs() < 1e-12);
        assert!(rates[10..].windows(2).all(|two| two[0] >= two[1]));
    }

    #[test]
    fn every_second_epoch_without_improvement_lowers_the_rate_to_a_third() {
        let rules = rules(Schedule::Plateau);
        let at = |losses: &[f64]| rate(&rules, 99, 10, &epochs(losses));
        assert!((at(&[1.0, 0.9, 0.95]) - 0.9).abs() < 1e-12);
        assert!((at(&[1.0, 0.9, 0.95, 0.9]) - 0.3).abs() < 1e-12);
        assert!((at(&[1.0, 0.9, 0.95, 0.9, 0.8, 0.9, 0.9]) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn learning_ends_when_nothing_improves_or_all_epochs_are_done() {
        let rules = rules(Schedule::Cosine);
        assert!(!is_over(&rules, &epochs(&[1.0, 0.9, 0.91, 0.92])));
        assert!(is_over(&rules, &epochs(&[1.0, 0.9, 0.91, 0.92, 0.93])));
        assert!(is_over(&rules, &epochs(&[1.0; 11].map(|loss: f64| loss))));
        assert!(!is_over(&rules, &epochs(&[1.0])));
    }
}
