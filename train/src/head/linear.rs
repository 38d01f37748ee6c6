//! The head itself.

use ndarray::{Array1, Array2, ArrayView2};

use super::product::by_rows;

/// `logits = features · weightᵀ + bias`.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearHead {
    /// `[categories, width]`.
    pub weight: Array2<f32>,
    /// `[categories]`.
    pub bias: Array1<f32>,
}

impl LinearHead {
    /// The logits of each row of features.
    #[must_use]
    pub fn logits(&self, features: &ArrayView2<'_, f32>) -> Array2<f32> {
        by_rows(features, &self.weight.view()) + &self.bias
    }
}
