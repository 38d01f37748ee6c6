//! What could be accepted at every score, to be drawn.

use serde::Serialize;

/// Points that a curve has at most.
const POINTS: usize = 200;

/// What a least score would accept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// The least score.
    pub score: f64,
    /// The share of pictures that reach it.
    pub accepted: f64,
    /// The share of those that are right.
    pub right: f64,
}

/// The curve of pictures, each with its best score and whether it is right,
/// from the surest down.
#[expect(clippy::cast_precision_loss, reason = "counts of pictures are far below 2^52")]
pub(super) fn curve(answers: &[(f64, bool)]) -> Vec<Point> {
    let mut by_score = answers.to_vec();
    by_score.sort_by(|a, b| b.0.total_cmp(&a.0));
    let all = by_score.len();
    let step = all.div_ceil(POINTS).max(1);
    let (mut right, mut points) = (0_usize, Vec::new());
    for (nth, (score, is_right)) in by_score.iter().enumerate() {
        right += usize::from(*is_right);
        let taken = nth + 1;
        // Equal scores are accepted together or not at all.
        let is_last_of_equals = by_score.get(taken).is_none_or(|(next, _)| next < score);
        if is_last_of_equals && (taken % step == 0 || taken == all) {
            let [accepted, right] =
                [(taken, all), (right, taken)].map(|(part, whole)| part as f64 / whole as f64);
            points.push(Point { score: *score, accepted, right });
        }
    }
    points
}
