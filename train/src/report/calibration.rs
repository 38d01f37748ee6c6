//! Whether scores are as sure as they are right.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde::Serialize;

/// Bins of equal width between 0 and 1.
const BINS: usize = 15;

/// How often pictures are imagined anew to see what chance does.
const DRAWS: usize = 400;

/// Decides what chance does.
const SEED: u64 = 0xca1b;

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
    /// The error that would be found if they were exactly as sure as they are
    /// right.
    pub by_chance: Chance,
    /// The bins of the scores with it that hold a picture, lowest first.
    pub bins: Vec<Bin>,
}

/// The error that perfect scores show all the same, because a bin holds so few
/// pictures (Vaicenavicius et al. 2019, "Evaluating model calibration in
/// classification").
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Chance {
    /// Its mean.
    pub mean: f64,
    /// What it exceeds once in twenty times.
    pub high: f64,
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

/// The errors of pictures with these best scores that are right as often as
/// their scores say.
#[expect(clippy::cast_precision_loss, reason = "a few hundred draws")]
pub(super) fn chance(answers: &[(f64, bool)]) -> Chance {
    let mut random = StdRng::seed_from_u64(SEED);
    let mut errors: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let drawn = answers.iter().map(|(score, _)| (*score, random.random::<f64>() < *score));
            error(&drawn.collect::<Vec<_>>()).0
        })
        .collect();
    errors.sort_by(f64::total_cmp);
    let high = errors.get(DRAWS * 19 / 20).copied().unwrap_or_default();
    Chance { mean: errors.iter().sum::<f64>() / DRAWS as f64, high }
}
