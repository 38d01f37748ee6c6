//! How much can be accepted without a human, and from which score on.

use aisle_worker::model::Acceptance;
use serde::Serialize;

use super::Share;

/// Shares of right answers that a shop asks for.
pub const PRECISIONS: [f64; 2] = [0.95, 0.98];

/// How far below the last accepted score a threshold lies, so that serving,
/// which computes in single precision, accepts it too.
const ROUNDING: f64 = 1e-5;

/// What a threshold accepts of some pictures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Accepted {
    /// The threshold.
    #[serde(flatten)]
    pub threshold: Acceptance,
    /// The share of pictures that it accepts.
    pub accepted: Share,
    /// The share of those that are right.
    pub right: Share,
}

/// The lowest scores from which on answers are right as often as asked for:
/// both by the count of these pictures and by what the scores themselves
/// promise, because a few hundred pictures alone promise too much.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of pictures are far below 2^52")]
pub fn thresholds(answers: &[(f64, bool)]) -> Vec<Acceptance> {
    let mut by_score = answers.to_vec();
    by_score.sort_by(|a, b| b.0.total_cmp(&a.0));
    let threshold = |precision: f64| {
        let (mut right, mut promised, mut score) = (0.0, 0.0, None);
        for (nth, (own, is_right)) in by_score.iter().enumerate() {
            right += f64::from(u8::from(*is_right));
            promised += own;
            let taken = (nth + 1) as f64;
            // Equal scores are accepted together or not at all.
            let next = by_score.get(nth + 1).map_or(0.0, |(next, _)| *next);
            if next < *own && right / taken >= precision && promised / taken >= precision {
                score = Some(own - ROUNDING.min((own - next) / 2.0));
            }
        }
        Acceptance { precision, score }
    };
    PRECISIONS.into_iter().map(threshold).collect()
}

impl Accepted {
    /// What a threshold accepts of pictures.
    #[must_use]
    pub fn of(threshold: Acceptance, answers: &[(f64, bool)]) -> Self {
        let is_taken = |score: f64| threshold.score.is_some_and(|least| score >= least);
        let taken: Vec<bool> =
            answers.iter().filter(|(score, _)| is_taken(*score)).map(|(_, right)| *right).collect();
        let right = taken.iter().filter(|right| **right).count();
        Self {
            threshold,
            accepted: Share::new(taken.len(), answers.len()),
            right: Share::new(right, taken.len()),
        }
    }
}
