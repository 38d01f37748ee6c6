//! Reading and writing ONNX graphs: a backbone without its head, and the
//! graph of a whole model; and a network as steps that can be learned through.

mod build;
mod compact;
mod error;
mod operator;
mod program;
mod proto;
mod trunk;

pub use build::{Branch, FEATURES, INPUT, LOGITS, Layer, Shift, build};
pub use compact::compact;
pub use error::OnnxError;
pub use operator::{Operator, Window};
pub use program::{Cut, Program, Step, Weight};
pub use trunk::Trunk;

#[cfg(test)]
mod learning_tests;
#[cfg(test)]
mod tests;
