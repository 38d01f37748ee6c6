//! From a folder of photographs to a model folder that a worker serves. The
//! modules are the road of a data set: what there is (`dataset`), which part
//! each picture plays (`split`), what networks make of it (`features`), what
//! is learned (`head`), what is written (`export`) and how good it is
//! (`report`, on worse pictures too `robustness`, and as a page for people
//! `page`). `road` walks it; `verify` proves what it has made; `onnx` takes
//! graphs apart and joins them.
//!
//! What must never happen: a picture that judges has been learned from,
//! serving computes something else than training did, a figure is told that
//! was not measured.

pub mod augment;
pub mod dataset;
pub mod export;
pub mod features;
pub mod head;
pub mod onnx;
pub mod page;
pub mod random;
pub mod report;
pub mod road;
pub mod robustness;
pub mod split;
pub mod tensorboard;
pub mod verify;
pub mod watch;

mod error;
mod retouch;

pub use error::TrainError;
pub use features::Machine;
pub use road::{
    Agreement, Data, EvaluateSettings, Evaluation, TrainSettings, Trained, evaluate, train,
};
pub use verify::{Verdict, verify};
