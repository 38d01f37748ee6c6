//! How good a model is, on pictures that are known: the figures that a shop
//! needs, each with how sure it is.

mod accepted;
mod calibration;
mod curve;
mod judge;
mod loss;
mod share;
mod text;

pub use accepted::{Accepted, Answer, Best, PRECISIONS, Taken, thresholds};
pub use calibration::{Bin, Calibration, Chance};
pub use curve::Point;
pub use judge::{CategoryFigures, Confused, Judgement, LevelFigures, Pool, answers, judge};
pub use loss::Loss;
pub use share::Share;
pub use text::as_text;

#[cfg(test)]
mod tests;
