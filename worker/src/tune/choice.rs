//! The choice among ways that were tried: a function of what was measured.

use serde::{Deserialize, Serialize};

use super::closeness::{Closeness, Verdict};
use crate::plan::Plan;

/// How many times as fast another way has to be to be taken instead: less
/// may be chance.
const WORTHWHILE: f64 = 1.1;

/// How many times as long a single image may take as on the CPU provider.
const SLOWEST_SINGLE: f64 = 1.5;

/// A way to run a network, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The way.
    pub plan: Plan,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It cannot be used: why.
    Failed(String),
    /// It ran.
    Measured(Measured),
}

/// What was measured of a way that ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Milliseconds of loading and warming up.
    pub load_ms: f64,
    /// Images a second in full batches.
    pub images_per_second: f64,
    /// How many times as fast full batches are as on the CPU provider in
    /// single precision.
    pub speed: f64,
    /// The same in all but the slowest quarter of the rounds.
    pub speed_at_least: f64,
    /// Milliseconds of one image alone.
    pub single_ms: f64,
    /// How many times as long one image alone takes as on the CPU provider in
    /// single precision.
    pub single: f64,
    /// How close its answers are.
    pub closeness: Closeness,
    /// Whether that is close enough.
    pub verdict: Verdict,
}

impl Trial {
    /// What came of it in a few words: why it cannot be used, or what speaks
    /// against it although its answers are right.
    #[must_use]
    pub fn remark(&self) -> String {
        match &self.outcome {
            Outcome::Failed(why) => format!("failed: {why}"),
            Outcome::Measured(Measured { verdict: Verdict::Differs(why), .. }) => why.clone(),
            Outcome::Measured(Measured { single, .. }) if *single > SLOWEST_SINGLE => {
                format!("agrees, but one image alone takes {single:.1} times as long")
            }
            Outcome::Measured(Measured { speed, speed_at_least, .. })
                if *speed > WORTHWHILE && *speed_at_least <= 1.0 =>
            {
                "agrees, but is not faster in three of four rounds".to_owned()
            }
            Outcome::Measured(_) => "agrees".to_owned(),
        }
    }

    /// Its measurements, where its answers are right and come in time.
    fn usable(&self) -> Option<&Measured> {
        match &self.outcome {
            Outcome::Measured(measured) => {
                let right = measured.verdict == Verdict::Agrees;
                (right && measured.single <= SLOWEST_SINGLE).then_some(measured)
            }
            Outcome::Failed(_) => None,
        }
    }
}

/// The fastest of the trials that can be used, and why. A later one has to be
/// clearly faster than an earlier, and faster at all in three of four rounds:
/// they are in the order of simplicity, the CPU provider in single precision
/// first. `None` where none can be used.
pub(crate) fn choose(trials: &[Trial]) -> Option<(&Trial, String)> {
    let usable = trials.iter().filter_map(|trial| Some((trial, trial.usable()?)));
    let best = usable.reduce(|best, next| {
        let (one, other) = (best.1, next.1);
        let clearly = other.speed > WORTHWHILE * one.speed;
        if clearly && other.speed_at_least > one.speed { next } else { best }
    });
    best.map(|(trial, measured)| {
        let Measured { speed, closeness, .. } = measured;
        let why = if trials.first().is_some_and(|first| first.plan == trial.plan) {
            format!("nothing else that can be used is steadily {WORTHWHILE} times as fast")
        } else {
            format!(
                "{speed:.2} times as fast as cpu fp32; no score moves by more than {:.4} on {} pictures",
                closeness.score, closeness.pictures
            )
        };
        (trial, why)
    })
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::plan::{Precision, Provider};

    fn trial(provider: Provider, speed: f64, agrees: bool, single: f64) -> Trial {
        let closeness = Closeness { pictures: 64, same_best: 64, score: 0.001, at_border: 0.001 };
        let differs = Verdict::Differs("a score moves".to_owned());
        let measured = Measured {
            load_ms: 1.0,
            images_per_second: 100.0 * speed,
            speed,
            speed_at_least: 0.95 * speed,
            single_ms: 10.0 * single,
            single,
            closeness,
            verdict: if agrees { Verdict::Agrees } else { differs },
        };
        let plan = Plan::plain(provider, Precision::Fp32, NonZeroUsize::MIN);
        Trial { plan, outcome: Outcome::Measured(measured) }
    }

    fn chosen(trials: &[Trial]) -> Provider {
        choose(trials).unwrap().0.plan.provider
    }

    fn reference() -> Trial {
        trial(Provider::Cpu, 1.0, true, 1.0)
    }

    #[test]
    fn the_fastest_that_agrees_is_chosen() {
        let trials = [
            reference(),
            trial(Provider::OpenVino, 2.0, true, 0.8),
            trial(Provider::Cuda, 9.0, true, 0.5),
            trial(Provider::TensorRt, 20.0, false, 0.5),
        ];
        assert_eq!(chosen(&trials), Provider::Cuda);
        let (_, why) = choose(&trials).unwrap();
        assert!(why.contains("9.00 times as fast") && why.contains("64 pictures"), "{why}");
    }

    #[test]
    fn what_may_be_chance_changes_nothing() {
        assert_eq!(
            chosen(&[reference(), trial(Provider::OpenVino, 1.09, true, 1.0)]),
            Provider::Cpu
        );
        let close = [
            reference(),
            trial(Provider::OpenVino, 2.0, true, 1.0),
            trial(Provider::Cuda, 2.1, true, 1.0),
        ];
        assert_eq!(chosen(&close), Provider::OpenVino);
    }

    #[test]
    fn what_is_faster_in_some_rounds_only_is_not_chosen() {
        let mut uneven = trial(Provider::OpenVino, 1.4, true, 1.0);
        if let Outcome::Measured(measured) = &mut uneven.outcome {
            measured.speed_at_least = 0.8;
        }
        assert!(uneven.remark().contains("three of four rounds"), "{}", uneven.remark());
        assert_eq!(chosen(&[reference(), uneven]), Provider::Cpu);
    }

    #[test]
    fn what_makes_a_single_image_wait_is_not_chosen() {
        let late = trial(Provider::Cuda, 9.0, true, 1.6);
        assert!(late.remark().contains("1.6 times as long"), "{}", late.remark());
        assert_eq!(chosen(&[reference(), late]), Provider::Cpu);
        assert_eq!(reference().remark(), "agrees");
    }

    #[test]
    fn what_failed_is_not_chosen() {
        let plan = trial(Provider::Cuda, 1.0, true, 1.0).plan;
        let failed = Trial { plan, outcome: Outcome::Failed("no GPU".to_owned()) };
        assert_eq!(chosen(&[reference(), failed.clone()]), Provider::Cpu);
        assert!(choose(&[failed]).is_none());
    }
}
