//! From logits to scores.

use ndarray::{Array2, ArrayView2};

/// Scores of each row of logits, divided by a temperature first: softmax,
/// shifted by the largest logit.
#[must_use]
pub fn scores(logits: &ArrayView2<'_, f32>, temperature: f64) -> Array2<f64> {
    let mut scores = logits.mapv(|logit| f64::from(logit) / temperature);
    for mut row in scores.rows_mut() {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        row.mapv_inplace(|logit| (logit - largest).exp());
        let sum = row.sum();
        row /= sum;
    }
    scores
}

/// The mean of `-ln(score of the right category)` over the rows.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of pictures are far below 2^52")]
pub fn log_loss(logits: &ArrayView2<'_, f32>, labels: &[usize], temperature: f64) -> f64 {
    let scores = scores(logits, temperature);
    let right = scores.rows().into_iter().zip(labels).map(|(row, label)| {
        let score = row.get(*label).copied().unwrap_or_default();
        -score.max(f64::MIN_POSITIVE).ln()
    });
    right.sum::<f64>() / labels.len().max(1) as f64
}
