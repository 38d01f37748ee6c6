//! What is minimised: the weighted log loss of a softmax over linear logits,
//! plus `λ/2` times the squared length of the weights. Biases are free.
//!
//! Value and gradient come from one pass over the features, in blocks that
//! stay in the processor's cache. The blocks do not depend on the number of
//! threads, so neither does the result.

use std::sync::{Mutex, PoisonError};

use argmin::core::{CostFunction, Error, Gradient};
use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, Axis, Slice};
use rayon::prelude::*;

use super::LinearHead;
use super::product::add_by_columns;

/// Rows of a block: with 2,560 features, half a megabyte.
const BLOCK: usize = 64;

/// Points that one search may ask for.
const POINTS: usize = 400;

/// Parts that are summed apart; each thread takes the next.
const PARTS: usize = 16;

/// The objective over a set of pictures.
pub(super) struct Objective<'a> {
    pub(super) features: ArrayView2<'a, f32>,
    pub(super) labels: &'a [usize],
    /// 1 together.
    pub(super) weights: &'a [f32],
    pub(super) categories: usize,
    pub(super) lambda: f64,
    pub(super) seen: Mutex<Seen>,
}

/// What was computed: the last point, because value and gradient are asked
/// for apart, and the best, because a search may end with an error.
#[derive(Default)]
pub(super) struct Seen {
    last: Option<Point>,
    best: Option<(f64, Vec<f64>)>,
    /// The value of the best after each point.
    path: Vec<f64>,
}

#[derive(Clone)]
struct Point {
    at: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

/// A part's share of value and gradient.
struct Share {
    loss: f64,
    weight: Array2<f32>,
    bias: Array1<f32>,
}

impl Objective<'_> {
    /// The best point that was computed.
    pub(super) fn best_so_far(&self) -> Option<Vec<f64>> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.best.as_ref().map(|(_, at)| at.clone())
    }

    /// The best value after each point that was computed.
    pub(super) fn path(&self) -> Vec<f64> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).path.clone()
    }

    /// Numbers of a point: weights row by row, then biases.
    pub(super) fn len(&self) -> usize {
        self.categories * (self.features.ncols() + 1)
    }

    /// The head that a point stands for.
    #[expect(clippy::cast_possible_truncation, reason = "products are of single precision")]
    pub(super) fn head(&self, at: &[f64]) -> LinearHead {
        let width = self.features.ncols();
        let value = |place: usize| at.get(place).copied().unwrap_or_default() as f32;
        let weight = Array2::from_shape_fn((self.categories, width), |(category, feature)| {
            value(category * width + feature)
        });
        let bias = Array1::from_shape_fn(self.categories, |category| {
            value(self.categories * width + category)
        });
        LinearHead { weight, bias }
    }

    fn point(&self, at: &[f64]) -> (f64, Vec<f64>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = seen.last.as_ref().filter(|last| last.at == at) {
            return (last.value, last.gradient.clone());
        }
        let (value, gradient) = self.compute(at);
        if value.is_finite() && seen.best.as_ref().is_none_or(|(best, _)| value < *best) {
            seen.best = Some((value, at.to_vec()));
        }
        let best = seen.best.as_ref().map_or(value, |(best, _)| *best);
        seen.path.push(best);
        let point = Point { at: at.to_vec(), value, gradient };
        let answer = (point.value, point.gradient.clone());
        seen.last = Some(point);
        answer
    }

    fn compute(&self, at: &[f64]) -> (f64, Vec<f64>) {
        let head = self.head(at);
        let rows = self.features.nrows();
        let part = rows.div_ceil(PARTS).max(1);
        let starts: Vec<usize> = (0..rows).step_by(part).collect();
        let shares: Vec<Share> = (starts.par_iter())
            .map(|start| self.share(&head, *start, (start + part).min(rows)))
            .collect();

        let weights = at.get(..self.categories * self.features.ncols()).unwrap_or_default();
        let length: f64 = weights.iter().map(|weight| weight * weight).sum();
        let mut value = self.lambda / 2.0 * length;
        let mut gradient: Vec<f64> = weights.iter().map(|weight| self.lambda * weight).collect();
        gradient.resize(self.len(), 0.0);
        for share in shares {
            value += share.loss;
            let parts = share.weight.iter().chain(&share.bias);
            for (slot, part) in gradient.iter_mut().zip(parts) {
                *slot += f64::from(*part);
            }
        }
        (value, gradient)
    }

    fn share(&self, head: &LinearHead, start: usize, end: usize) -> Share {
        let mut share = Share {
            loss: 0.0,
            weight: Array2::zeros(head.weight.dim()),
            bias: Array1::zeros(self.categories),
        };
        let labels = self.labels.get(start..end).unwrap_or_default();
        let weights = self.weights.get(start..end).unwrap_or_default();
        let blocks = labels.chunks(BLOCK).zip(weights.chunks(BLOCK));
        for (nth, (labels, weights)) in blocks.enumerate() {
            let first = start + nth * BLOCK;
            let features =
                self.features.slice_axis(Axis(0), Slice::from(first..first + labels.len()));
            let mut residual = head.logits(&features);
            share.loss += residuals(residual.view_mut(), labels, weights);
            add_by_columns(&mut share.weight, &residual.view(), &features);
            share.bias += &residual.sum_axis(Axis(0));
        }
        share
    }
}

/// Turns logits into `weight · (score − 1 where right)`, the gradient with
/// respect to them; the weighted log loss.
pub(super) fn residuals(
    mut logits: ArrayViewMut2<'_, f32>,
    labels: &[usize],
    weights: &[f32],
) -> f64 {
    let mut loss = 0.0;
    for ((mut row, label), weight) in logits.rows_mut().into_iter().zip(labels).zip(weights) {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let right = row.get(*label).copied().unwrap_or_default() - largest;
        row.mapv_inplace(|logit| (logit - largest).exp());
        let sum = row.sum();
        loss += f64::from(*weight) * f64::from(sum.ln() - right);
        row.mapv_inplace(|power| weight * power / sum);
        if let Some(slot) = row.get_mut(*label) {
            *slot -= weight;
        }
    }
    loss
}

impl CostFunction for &Objective<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, at: &Vec<f64>) -> Result<f64, Error> {
        let (value, _) = self.point(at);
        let count = self.seen.lock().unwrap_or_else(PoisonError::into_inner).path.len();
        // A line search has no end of its own where nothing satisfies it.
        if value.is_finite() && count <= POINTS {
            Ok(value)
        } else {
            Err(Error::msg(format!("the objective is {value} at point {count}")))
        }
    }
}

impl Gradient for &Objective<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, at: &Vec<f64>) -> Result<Vec<f64>, Error> {
        Ok(self.point(at).1)
    }
}
