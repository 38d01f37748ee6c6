//! Features of one scale: mean 0 and deviation 1, times what keeps the length
//! of a row the same for any number of features, so that one range of
//! regularisation serves all. What was learned is folded back, so that a
//! model needs no such step.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use super::LinearHead;

/// A row's length after standardising, about.
const LENGTH: f64 = 30.0;

/// A deviation below which a feature is a constant.
const CONSTANT: f64 = 1e-6;

/// How features are brought to one scale.
#[derive(Debug, Clone)]
pub(super) struct Standard {
    mean: Array1<f32>,
    factor: Array1<f32>,
}

impl Standard {
    #[expect(clippy::cast_precision_loss, reason = "counts of features are far below 2^52")]
    #[expect(clippy::cast_possible_truncation, reason = "features are of single precision")]
    pub(super) fn of(features: &ArrayView2<'_, f32>) -> Self {
        let count = features.nrows().max(1) as f64;
        let mut sum = Array1::<f64>::zeros(features.ncols());
        let mut squares = Array1::<f64>::zeros(features.ncols());
        for row in features.rows() {
            for ((value, sum), square) in row.iter().zip(&mut sum).zip(&mut squares) {
                *sum += f64::from(*value);
                *square += f64::from(*value) * f64::from(*value);
            }
        }
        let mean = sum / count;
        let scale = LENGTH / (features.ncols().max(1) as f64).sqrt();
        let factor = (squares / count - &mean * &mean).mapv(|variance| {
            let deviation = variance.max(0.0).sqrt();
            if deviation < CONSTANT { 0.0 } else { (scale / deviation) as f32 }
        });
        Self { mean: mean.mapv(|value| value as f32), factor }
    }

    /// The deviation of features that are brought to one scale.
    #[expect(clippy::cast_precision_loss, reason = "counts of features are far below 2^52")]
    pub(super) fn deviation(&self) -> f64 {
        LENGTH / (self.mean.len().max(1) as f64).sqrt()
    }

    pub(super) fn apply(&self, features: &ArrayView2<'_, f32>) -> Array2<f32> {
        let mut scaled = features.to_owned();
        for mut row in scaled.axis_iter_mut(Axis(0)) {
            row -= &self.mean;
            row *= &self.factor;
        }
        scaled
    }

    /// The head that does to features what `head` does to standardised ones.
    pub(super) fn fold(&self, head: &LinearHead) -> LinearHead {
        let weight = &head.weight * &self.factor;
        let bias = &head.bias - &weight.dot(&self.mean);
        LinearHead { weight, bias }
    }
}
