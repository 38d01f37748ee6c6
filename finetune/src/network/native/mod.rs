//! Operations that burn's backend for processors computes slowly, computed
//! here: its gradient of a convolution of each channel by itself runs a
//! convolution for every channel, and its clipping goes over a map four times.
//! On other backends they remain burn's own.

mod clip;
mod depthwise;
mod plane;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::Tensor;

pub(super) use clip::clip;
pub(super) use depthwise::depthwise;

/// What burn's backend for processors makes of a tensor.
type Plain = FloatTensor<Flex>;
/// The same with its place among what gradients go through.
type Tracked = FloatTensor<Autodiff<Flex>>;

/// A tensor that lies in the processor's memory.
enum Native {
    Plain(Plain),
    Tracked(Tracked),
}

/// A tensor as this module computes with it; `None` on another backend.
fn native<const D: usize>(tensor: Tensor<D>) -> Option<Native> {
    if tensor.is_autodiff() {
        tensor.try_into_primitive::<Autodiff<Flex>>().ok().map(Native::Tracked)
    } else {
        tensor.try_into_primitive::<Flex>().ok().map(Native::Plain)
    }
}

/// A tensor that gradients may go through, if it is one of this backend.
fn tracked<const D: usize>(tensor: Tensor<D>) -> Option<Tracked> {
    let tensor = if tensor.is_autodiff() { tensor } else { tensor.autodiff() };
    tensor.try_into_primitive::<Autodiff<Flex>>().ok()
}

/// The numbers of a tensor, row by row. It is of single precision, as all
/// tensors here are.
fn numbers<R>(tensor: &Plain, use_them: impl FnOnce(&[f32]) -> R) -> R {
    match tensor.as_slice::<f32>() {
        Some(numbers) => use_them(numbers),
        None => use_them(tensor.to_contiguous().as_slice::<f32>().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests;
