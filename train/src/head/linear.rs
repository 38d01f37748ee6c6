//! The head itself: a linear layer, maybe with a hidden one before it.

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

/// What turns features into logits.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// A layer of rectified units before the last.
    pub hidden: Option<LinearHead>,
    /// The last layer.
    pub output: LinearHead,
}

impl Head {
    /// The logits of each row of features.
    #[must_use]
    pub fn logits(&self, features: &ArrayView2<'_, f32>) -> Array2<f32> {
        match &self.hidden {
            None => self.output.logits(features),
            Some(hidden) => {
                let units = hidden.logits(features).mapv(|unit| unit.max(0.0));
                self.output.logits(&units.view())
            }
        }
    }
}

impl From<LinearHead> for Head {
    fn from(output: LinearHead) -> Self {
        Self { hidden: None, output }
    }
}
