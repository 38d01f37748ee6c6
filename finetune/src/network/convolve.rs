//! Convolution in the form that learns fastest for its kind.

use aisle_train::onnx::Window;
use burn::tensor::Tensor;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;

use super::native::depthwise;

/// A window that only mixes the channels of each place.
const POINT: Window = Window { strides: [1; 2], pads: [(0, 0); 2], dilations: [1; 2] };

/// `input` is `[N, in, height, width]`, `weight` `[out, in / group, ...]`,
/// `bias` `[out]`.
pub(super) fn convolve(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    window: Window,
    group: usize,
) -> Tensor<4> {
    let [_, _, height, width] = weight.dims();
    if group == 1 && [height, width] == [1, 1] && window == POINT {
        return mix(input, weight, bias);
    }
    if group > 1
        && let Some(map) = depthwise(&input, &weight, bias.as_ref(), window)
    {
        return map;
    }
    let Window { strides, pads, dilations } = window;
    conv2d(input, weight, bias, ConvOptions::new_with_padding(strides, pads, dilations, group))
}

/// A convolution by windows of one place, as one matrix product: the gradient
/// of its weight is then a matrix product too, where that of a convolution is
/// one for each channel.
fn mix(input: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>) -> Tensor<4> {
    let [count, from, height, width] = input.dims();
    let [to, ..] = weight.dims();
    let places: Tensor<2> = input.swap_dims(0, 1).reshape([from, count * height * width]);
    let weight: Tensor<2> = weight.reshape([to, from]);
    let mixed = weight.matmul(places);
    let mixed = match bias {
        Some(bias) => mixed + bias.reshape([to, 1]),
        None => mixed,
    };
    mixed.reshape([to, count, height, width]).swap_dims(0, 1)
}
