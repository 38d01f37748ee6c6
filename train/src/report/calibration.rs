//! Whether scores are as sure as they are right.

use serde::Serialize;

/// Bins of equal width between 0 and 1.
const BINS: usize = 15;

/// The expected calibration error (Naeini et al. 2015; Guo et al. 2017): the
/// mean gap between score and share of right answers, over 15 bins of the best
/// score, weighted by their pictures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Calibration {
    /// What logits are divided by.
    pub temperature: f64,
    /// The error of the scores without it.
    pub before: f64,
    /// The error of the scores with it.
    pub after: f64,
}

/// The expected calibration error of pictures, each with its best score and
/// whether it is right.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of pictures are far below 2^52, and a score lies between 0 and 1"
)]
pub(super) fn error(answers: &[(f64, bool)]) -> f64 {
    let mut bins = [(0.0, 0.0); BINS];
    for (score, is_right) in answers {
        let bin = ((score * BINS as f64) as usize).min(BINS - 1);
        if let Some((scores, right)) = bins.get_mut(bin) {
            *scores += score;
            *right += f64::from(u8::from(*is_right));
        }
    }
    let gaps: f64 = bins.iter().map(|(scores, right)| (scores - right).abs()).sum();
    gaps / answers.len().max(1) as f64
}
