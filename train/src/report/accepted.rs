//! How much can be accepted without a human, and from which scores on: the
//! label where it is sure enough, else a parent category that is.

use aisle_shared::domain::{Acceptance, Reached};
use serde::Serialize;

use super::Share;

/// Shares of right answers that a shop asks for.
pub const PRECISIONS: [f64; 2] = [0.95, 0.98];

/// How far below the last accepted score a threshold lies, so that serving,
/// which computes in single precision, accepts it too.
const ROUNDING: f64 = 1e-5;

/// The best category of a picture among the leaves or at a level: its score,
/// and whether it is right.
pub type Best = (f64, bool);

/// A picture as a threshold sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The best label.
    pub leaf: Best,
    /// At each level above the leaves the best category, root first.
    pub levels: Vec<Best>,
}

/// What a rule accepts of some pictures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Accepted {
    /// The rule.
    #[serde(flatten)]
    pub threshold: Acceptance,
    /// By their best label.
    pub leaf: Taken,
    /// By a parent category only.
    pub parent: Taken,
    /// All.
    pub together: Taken,
}

/// Pictures that are accepted without a human.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Taken {
    /// The share of pictures that is.
    pub accepted: Share,
    /// The share of those for which what was accepted is right.
    pub right: Share,
}

/// The lowest scores from which on answers are right as often as asked for,
/// both by the count of these pictures and by what the scores themselves
/// promise, because a few hundred pictures alone promise too much.
///
/// A level's threshold is found on the pictures that come to it in serving:
/// those that are not accepted nearer the leaves. They are the harder ones, so
/// a threshold found on all would promise too much of them.
#[must_use]
pub fn thresholds(answers: &[Answer]) -> Vec<Acceptance> {
    PRECISIONS.into_iter().map(|precision| rule(precision, answers)).collect()
}

fn rule(precision: f64, answers: &[Answer]) -> Acceptance {
    let leaves: Vec<Best> = answers.iter().map(|answer| answer.leaf).collect();
    let depth = answers.iter().map(|answer| answer.levels.len()).max().unwrap_or(0);
    let score = lowest(precision, &leaves);
    let mut rule = Acceptance { precision, score, levels: vec![None; depth] };
    for level in (0..depth).rev() {
        let left = answers.iter().filter(|answer| reached(&rule, answer) == Reached::Nothing);
        let left: Vec<Best> = left.filter_map(|answer| answer.levels.get(level).copied()).collect();
        let score = lowest(precision, &left);
        if let Some(slot) = rule.levels.get_mut(level) {
            *slot = score;
        }
    }
    rule
}

/// The lowest score from which on so many are right, by both measures.
#[expect(clippy::cast_precision_loss, reason = "counts of pictures are far below 2^52")]
fn lowest(precision: f64, answers: &[Best]) -> Option<f64> {
    let mut by_score = answers.to_vec();
    by_score.sort_by(|a, b| b.0.total_cmp(&a.0));
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
    score
}

/// As serving decides.
fn reached(rule: &Acceptance, answer: &Answer) -> Reached {
    let levels: Vec<f64> = answer.levels.iter().map(|(score, _)| *score).collect();
    rule.reached(answer.leaf.0, &levels)
}

impl Accepted {
    /// What a rule accepts of pictures.
    #[must_use]
    pub fn of(threshold: &Acceptance, answers: &[Answer]) -> Self {
        let (mut leaf, mut parent) = (Vec::new(), Vec::new());
        for answer in answers {
            match reached(threshold, answer) {
                Reached::Leaf => leaf.push(answer.leaf.1),
                Reached::Level(level) => {
                    parent.push(answer.levels.get(level).is_some_and(|(_, right)| *right));
                }
                Reached::Nothing => {}
            }
        }
        let together = [leaf.as_slice(), &parent].concat();
        let [leaf, parent, together] =
            [leaf, parent, together].map(|taken| Taken::of(&taken, answers.len()));
        Self { threshold: threshold.clone(), leaf, parent, together }
    }
}

impl Taken {
    fn of(taken: &[bool], pictures: usize) -> Self {
        let right = taken.iter().filter(|right| **right).count();
        Self { accepted: Share::new(taken.len(), pictures), right: Share::new(right, taken.len()) }
    }
}
