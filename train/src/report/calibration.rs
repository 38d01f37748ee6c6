//! Whether scores are as sure as they are right.

use serde::Serialize;

/// Bins of equal width between 0 and 1.
const BINS: usize = 15;

/// The expected calibration error (Naeini et al. 2015; Guo et al. 2017): the
/// mean gap between score and share of right answers, over 15 bins of the best
/// score, weighted by their pictures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// What logits are divided by.
    pub temperature: f64,
    /// The error of the scores without it.
    pub before: f64,
    /// The error of the scores with it.
    pub after: f64,
    /// The bins of the scores with it that hold a picture, lowest first.
    pub bins: Vec<Bin>,
}

/// Pictures whose best scores lie close together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    /// How many.
    pub pictures: usize,
    /// The mean of their best scores.
    pub score: f64,
    /// The share of them that is right.
    pub right: f64,
}

/// The expected calibration error, and the bins behind it, of pictures, each
/// with its best score and whether it is right.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of pictures are far below 2^52, and a score lies between 0 and 1"
)]
pub(super) fn error(answers: &[(f64, bool)]) -> (f64, Vec<Bin>) {
    let mut sums = [(0_usize, 0.0, 0.0); BINS];
    for (score, is_right) in answers {
        let bin = ((score * BINS as f64) as usize).min(BINS - 1);
        if let Some((pictures, scores, right)) = sums.get_mut(bin) {
            *pictures += 1;
            *scores += score;
            *right += f64::from(u8::from(*is_right));
        }
    }
    let gaps: f64 = sums.iter().map(|(_, scores, right)| (scores - right).abs()).sum();
    let bins = sums.into_iter().filter(|(pictures, ..)| *pictures > 0);
    let bins = bins.map(|(pictures, scores, right)| {
        let count = pictures as f64;
        Bin { pictures, score: scores / count, right: right / count }
    });
    (gaps / answers.len().max(1) as f64, bins.collect())
}
