//! A head on features: multinomial logistic regression, on the features themselves or
//! on a hidden layer, and the temperature that makes its scores honest.

mod fit;
mod hidden;
mod linear;
mod objective;
mod product;
mod softmax;
mod standard;
mod temperature;
mod weights;

pub use fit::{Fit, FitError, Known, Rules, Step, Tried, Witness, fit, judge};
pub use linear::{Head, LinearHead};
pub use softmax::{log_loss, scores};
pub use temperature::temperature;
pub use weights::weights;

#[cfg(test)]
mod tests;
