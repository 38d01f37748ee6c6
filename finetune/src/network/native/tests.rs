use aisle_train::onnx::Window;
use aisle_train::random::generator;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData};
use rand::Rng as _;

use super::{clip, depthwise};
use crate::network::values;

/// Numbers between -1 and 1.
fn any<const D: usize>(dims: [usize; D], purpose: &str) -> Tensor<D> {
    let mut random = generator(0, purpose, [0, 0]);
    let values: Vec<f32> =
        (0..dims.iter().product()).map(|_| random.random_range(-1.0..=1.0)).collect();
    Tensor::from_data(TensorData::new(values, dims), &Device::flex()).autodiff().require_grad()
}

fn assert_same<const D: usize>(what: &str, found: Tensor<D>, expected: Tensor<D>) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let (found, expected) = (values(found).unwrap(), values(expected).unwrap());
    let is_near = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-4 * b.abs().max(1.0);
    assert!(found.iter().zip(&expected).all(is_near), "{what}: {found:?} is not {expected:?}");
}

#[test]
fn a_convolution_of_each_channel_and_its_gradients_are_those_of_burn() {
    let pads = [[(0, 0); 2], [(1, 1); 2], [(0, 1), (2, 1)]];
    let kernels = [[3, 3], [5, 5], [2, 3], [1, 1]];
    for (height, width) in [(9, 7), (5, 6), (32, 21)] {
        for ([down, across], pads) in kernels.into_iter().zip(pads.into_iter().cycle()) {
            for (strides, dilations) in
                [([1, 1], [1, 1]), ([2, 2], [1, 1]), ([2, 1], [1, 2]), ([3, 2], [2, 1])]
            {
                let window = Window { strides, pads, dilations };
                let [reach_down, reach_across] =
                    [dilations[0] * (down - 1) + 1, dilations[1] * (across - 1) + 1];
                let [(top, bottom), (left, right)] = pads;
                if reach_down > height + top + bottom || reach_across > width + left + right {
                    continue;
                }
                let what = format!("{height} × {width} by {down} × {across}, {window:?}");
                let input = any([3, 4, height, width], "input");
                let weight = any([4, 1, down, across], "weight");
                let bias = any([4], "bias");
                let all = (&input, &weight, &bias);
                let ours = depthwise(&input, &weight, Some(&bias), window).unwrap();
                let options = ConvOptions::new_with_padding(strides, pads, dilations, 4);
                let theirs = conv2d(input.clone(), weight.clone(), Some(bias.clone()), options);
                let slope = any(ours.dims(), "slope").inner().autodiff();
                let slopes =
                    [&ours, &theirs].map(|map| (map.clone() * slope.clone()).sum().backward());
                assert_same(&what, ours, theirs);
                let [ours, theirs] = &slopes;
                let of = |tensor: &Tensor<4>| [ours, theirs].map(|all| tensor.grad(all).unwrap());
                for (name, [found, expected]) in [("input", of(all.0)), ("weight", of(all.1))] {
                    assert_same(&format!("{name} of {what}"), found, expected);
                }
                let of_bias = [ours, theirs].map(|gradients| bias.grad(gradients).unwrap());
                let [found, expected] = of_bias;
                assert_same(&format!("bias of {what}"), found, expected);
            }
        }
    }
}

#[test]
fn without_gradients_a_convolution_of_each_channel_is_the_same() {
    let window = Window { strides: [2, 2], pads: [(1, 1); 2], dilations: [1; 2] };
    let (input, weight) = (any([2, 3, 8, 5], "input"), any([3, 1, 3, 3], "weight"));
    let learning = depthwise(&input, &weight, None, window).unwrap();
    let serving = depthwise(&input.inner(), &weight.inner(), None, window).unwrap();
    assert!(!serving.is_autodiff());
    assert_eq!(values(learning).unwrap(), values(serving).unwrap());
}

#[test]
fn what_is_no_convolution_of_each_channel_by_itself_is_left_to_burn() {
    let window = Window { strides: [1; 2], pads: [(0, 0); 2], dilations: [1; 2] };
    let input = any([1, 4, 5, 5], "input");
    for dims in [[4, 2, 3, 3], [8, 1, 3, 3], [4, 1, 6, 3]] {
        assert!(depthwise(&input, &any(dims, "weight"), None, window).is_none(), "{dims:?}");
    }
}

#[test]
fn what_is_clipped_gives_no_gradient() {
    let device = Device::flex();
    let value = Tensor::<1>::from_floats([-1.0, 0.5, 3.0, 7.0], &device).autodiff().require_grad();
    let clipped = clip(&value, 0.0, 6.0).unwrap();
    assert_eq!(values(clipped.clone()).unwrap(), [0.0, 0.5, 3.0, 6.0]);
    let gradients = (clipped.clone() * clipped).sum().backward();
    assert_eq!(values(value.grad(&gradients).unwrap()).unwrap(), [0.0, 1.0, 6.0, 0.0]);
    assert_eq!(values(clip(&value.inner(), 0.0, 1.0).unwrap()).unwrap(), [0.0, 0.5, 1.0, 1.0]);
}
