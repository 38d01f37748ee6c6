//! A convolution of each channel by itself, with its gradients.

use aisle_train::onnx::Window;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Autodiff, Flex};
use burn::tensor::{Tensor, TensorData};

use super::plane::Plane;
use super::{Native, Plain, Tracked, native, numbers, tracked};

/// `input` is `[N, channels, height, width]`, `weight` `[channels, 1, ...]`,
/// `bias` `[channels]`; `None` on a backend that is not the processor's.
pub(in crate::network) fn depthwise(
    input: &Tensor<4>,
    weight: &Tensor<4>,
    bias: Option<&Tensor<1>>,
    window: Window,
) -> Option<Tensor<4>> {
    let [count, channels, height, width] = input.dims();
    let [windows, within, down, across] = weight.dims();
    if [windows, within] != [channels, 1] {
        return None;
    }
    let plane = Plane::new([height, width], [down, across], window)?;
    let bias = match bias {
        Some(bias) => bias.clone(),
        None => Tensor::zeros([channels], &weight.device()),
    };
    let convolution = Convolution { plane, channels };
    let [height, width] = plane.output();
    let dims = [count, channels, height, width];
    let learns = input.is_autodiff() || weight.is_autodiff() || bias.is_autodiff();
    if !learns {
        let (Native::Plain(input), Native::Plain(weight), Native::Plain(bias)) =
            (native(input.clone())?, native(weight.clone())?, native(bias)?)
        else {
            return None;
        };
        let output = convolution.forward(&input, &weight, &bias, dims);
        return Some(Tensor::from_primitive::<Flex>(output));
    }
    let [input, weight] = [tracked(input.clone())?, tracked(weight.clone())?];
    let output = convolution.tracked(input, weight, tracked(bias)?, dims);
    Some(Tensor::from_primitive::<Autodiff<Flex>>(output))
}

#[derive(Debug, Clone, Copy)]
struct Convolution {
    plane: Plane,
    channels: usize,
}

impl Convolution {
    fn forward(self, input: &Plain, weight: &Plain, bias: &Plain, dims: [usize; 4]) -> Plain {
        let output = numbers(input, |input| {
            numbers(weight, |weight| numbers(bias, |bias| self.plane.convolve(input, weight, bias)))
        });
        Plain::from_data(TensorData::new(output, dims))
    }

    fn tracked(self, input: Tracked, weight: Tracked, bias: Tracked, dims: [usize; 4]) -> Tracked {
        let output = self.forward(input.primitive(), weight.primitive(), bias.primitive(), dims);
        let ((input, of_input), (weight, of_weight)) = (input.into_parts(), weight.into_parts());
        let (_, of_bias) = bias.into_parts();
        match Slopes
            .prepare::<NoCheckpointing>([of_input, of_weight, of_bias])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prepared) => prepared.finish((self, input, weight), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

#[derive(Debug)]
struct Slopes;

impl Backward<Flex, 3> for Slopes {
    type State = (Convolution, Plain, Plain);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<Flex>(&ops.node);
        let ([of_input, of_weight, of_bias], (convolution, input, weight)) =
            (ops.parents, ops.state);
        let Convolution { plane, channels } = convolution;
        if let Some(node) = of_input {
            let found = numbers(&gradient, |gradient| {
                numbers(&weight, |weight| plane.of_inputs(gradient, weight))
            });
            let shape = input.layout().shape().clone();
            grads.register::<Flex>(node.id, Plain::from_data(TensorData::new(found, shape)));
        }
        if of_weight.is_none() && of_bias.is_none() {
            return;
        }
        let (found, biases) = numbers(&input, |input| {
            numbers(&gradient, |gradient| plane.of_weights(input, gradient, channels))
        });
        if let Some(node) = of_weight {
            let shape = weight.layout().shape().clone();
            grads.register::<Flex>(node.id, Plain::from_data(TensorData::new(found, shape)));
        }
        if let Some(node) = of_bias {
            let found = TensorData::new(biases, [channels]);
            grads.register::<Flex>(node.id, Plain::from_data(found));
        }
    }
}
