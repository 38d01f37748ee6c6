//! A linear head on features: multinomial logistic regression, and the
//! temperature that makes its scores honest.

mod fit;
mod linear;
mod objective;
mod product;
mod softmax;
mod standard;
mod temperature;
mod weights;

pub use fit::{Fit, FitError, Known, Rules, Step, Tried, Witness, fit, judge};
pub use linear::LinearHead;
pub use softmax::{log_loss, scores};
pub use temperature::temperature;
pub use weights::weights;

#[cfg(test)]
mod tests;
