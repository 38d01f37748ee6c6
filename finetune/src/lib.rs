//! Learning in the network itself: fine-tuning of any ONNX graph whose
//! operators can be learned through, and training from scratch, which is the
//! same beginning with random weights. `road` walks from a data set to a model
//! folder; `network` is the bridge from an ONNX graph to burn and back;
//! `learner` makes a step; `source` is what a step is shown.
//!
//! What must never happen: the written graph computes something else than was
//! learned, a training that is resumed learns otherwise than one that was
//! never stopped, a tuned model is worse on validation than what it began as.

mod checkpoint;
mod compact;
mod error;
mod judge;
mod learner;
mod network;
mod pixels;
mod proof;
mod road;
mod schedule;
mod settings;
mod source;
mod targets;
mod teacher;
mod training;
mod watching;

pub use error::TuneError;
pub use road::tune;
pub use settings::{Compact, Place, TuneSettings};
