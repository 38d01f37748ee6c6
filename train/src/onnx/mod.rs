//! Reading and writing ONNX graphs: a backbone without its head, and the
//! graph of a whole model.

mod build;
mod error;
mod proto;
mod trunk;

pub use build::{Branch, FEATURES, Head, INPUT, LOGITS, Shift, build};
pub use error::OnnxError;
pub use trunk::Trunk;

#[cfg(test)]
mod tests;
