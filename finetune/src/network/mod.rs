//! A network as operations with gradients: the bridge from an ONNX graph's
//! steps to burn. What comes back are weights by name, which the graph takes
//! in place of its own.

mod convolve;
mod forward;
mod native;
mod weights;

pub(crate) use forward::{Mode, Upper, shape_at};
pub(crate) use weights::{Weights, tensor, values};

#[cfg(test)]
mod tests;
