//! From a folder of photographs to a model folder that a worker serves. The
//! modules are the road of a data set: what there is (`dataset`), which part
//! each picture plays (`split`), what networks make of it (`features`), what
//! is learned (`head`) and how good it is (`report`). `onnx` takes graphs
//! apart and joins them.
//!
//! What must never happen: a picture that judges has been learned from, a
//! figure is told that was not measured.

pub mod dataset;
pub mod features;
pub mod head;
pub mod onnx;
pub mod report;
pub mod split;
pub mod watch;

pub use features::Machine;
