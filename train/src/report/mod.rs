//! How good a model is, on pictures that are known: the figures that a shop
//! needs, each with how sure it is.

mod accepted;
mod calibration;
mod judge;
mod share;
mod text;

pub use accepted::{Accepted, Answer, Best, PRECISIONS, Taken, thresholds};
pub use calibration::Calibration;
pub use judge::{CategoryFigures, Confused, Judgement, LevelFigures, Pool, answers, judge};
pub use share::Share;
pub use text::as_text;

#[cfg(test)]
mod tests;
