//! The pictures that a model is most wrong about: what a person looks at
//! first, because a wrong label of the data set is often among them.

use ndarray::ArrayView2;
use serde::Serialize;

use super::judge::Pool;
use crate::dataset::Category;

/// Pictures that are named at most.
const NAMED: usize = 24;

/// A picture, and how far its answer was off.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Loss {
    /// What the picture is called within its data set.
    pub picture: String,
    /// What it shows.
    pub shown: Category,
    /// The score of what it shows.
    pub shown_score: f64,
    /// What it was taken for.
    pub taken_for: Category,
    /// The score of what it was taken for.
    pub taken_for_score: f64,
    /// The negative logarithm of the score of what it shows, in nats.
    pub loss: f64,
}

/// The wrong answers with the largest losses, largest first; `scores` is a row
/// for each picture, `best` its best category with that one's score.
pub(super) fn largest(
    pool: Pool<'_>,
    scores: &ArrayView2<'_, f64>,
    best: &[(usize, f64)],
) -> Vec<Loss> {
    let own = scores.rows().into_iter().zip(pool.labels);
    let own = own.map(|(row, label)| row.get(*label).copied().unwrap_or_default());
    let mut order: Vec<(usize, f64)> = own.enumerate().collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let told = |(row, shown_score): (usize, f64)| {
        let (taken_for, taken_for_score) = *best.get(row)?;
        let label = *pool.labels.get(row)?;
        (taken_for != label).then_some(())?;
        Some(Loss {
            picture: pool.pictures.get(row)?.name.clone(),
            shown: pool.categories.get(label)?.clone(),
            shown_score,
            taken_for: pool.categories.get(taken_for)?.clone(),
            taken_for_score,
            loss: -shown_score.max(f64::MIN_POSITIVE).ln(),
        })
    };
    order.into_iter().filter_map(told).take(NAMED).collect()
}
