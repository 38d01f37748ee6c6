use std::collections::BTreeMap;

use aisle_train::onnx::{Cut, Operator, Program, Step, Weight, Window};
use burn::tensor::{Device, Tensor, TensorData};

use super::{Mode, Upper, Weights, shape_at, values};

const PLAIN: Window = Window { strides: [1; 2], pads: [(0, 0); 2], dilations: [1; 2] };

fn step(operator: Operator, inputs: &[&str], output: &str) -> Step {
    let inputs = inputs.iter().map(ToString::to_string).collect();
    Step { operator, inputs, output: output.to_owned() }
}

/// A program from `input` to the output of its last step.
fn program(steps: Vec<Step>, weights: &[(&str, &[usize], &[f32])]) -> Program {
    let weight = |(name, dims, values): &(&str, &[usize], &[f32])| {
        ((*name).to_owned(), Weight { dims: dims.to_vec(), values: values.to_vec() })
    };
    Program {
        input: "input".to_owned(),
        output: steps.last().unwrap().output.clone(),
        steps,
        weights: weights.iter().map(weight).collect::<BTreeMap<_, _>>(),
    }
}

/// The features of one map, and the gradient of their sum in each weight.
fn run(
    program: &Program,
    dims: [usize; 3],
    input: &[f32],
    mode: Mode,
) -> (Vec<f32>, Vec<Vec<f32>>) {
    let device = Device::flex();
    let learning = program.cut(usize::MAX).learning;
    let cut = Cut { value: program.input.clone(), first: 0, learning };
    let mut weights = Weights::new();
    for name in &cut.learning {
        let weight = &program.weights[name];
        weights.push(name, &weight.dims, &weight.values, &device);
    }
    let upper = Upper::new(program, &cut, &device);
    let [channels, height, width] = dims;
    let count = input.len() / dims.iter().product::<usize>();
    let data = TensorData::new(input.to_vec(), [count, channels, height, width]);
    let input = Tensor::from_data(data, &device).autodiff();
    let tracked = weights.tracked();
    let (features, _) = upper.features(input, &tracked, mode).unwrap();
    let gradients = features.clone().sum().backward();
    let gradients = tracked.tensors.iter().map(|tensor| tensor.grad(&gradients).unwrap());
    (values(features).unwrap(), gradients.map(|tensor| values(tensor).unwrap()).collect())
}

fn assert_close(found: &[f32], expected: &[f32]) {
    let near = found.len() == expected.len()
        && found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-5 * b.abs().max(1.0));
    assert!(near, "{found:?} is not {expected:?}");
}

#[test]
fn a_convolution_pads_each_side_by_its_own_and_gives_gradients() {
    // As TensorFlow pads an even map for a stride of two: only after it.
    let window = Window { strides: [2; 2], pads: [(0, 1); 2], dilations: [1; 2] };
    let conv = Operator::Conv { window, group: 1 };
    let steps = vec![
        step(conv, &["input", "weight", "bias"], "map"),
        step(Operator::Flatten, &["map"], "features"),
    ];
    let weights: [(&str, &[usize], &[f32]); 2] =
        [("weight", &[1, 1, 2, 2], &[1.0, 10.0, 100.0, 1000.0]), ("bias", &[1], &[0.5])];
    let program = program(steps, &weights);
    let input = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
    let (features, gradients) = run(&program, [1, 3, 3], &input, Mode::Serving);
    assert_close(&features, &[5421.5, 603.5 + 0.0, 87.5, 9.5]);
    // Each weight meets the values under it; the bias meets every place.
    assert_close(&gradients[0], &[1.0 + 3.0 + 7.0 + 9.0, 2.0 + 8.0, 4.0 + 6.0, 5.0]);
    assert_close(&gradients[1], &[4.0]);
}

#[test]
fn groups_keep_to_their_own_channels() {
    let conv = Operator::Conv { window: PLAIN, group: 2 };
    let steps = vec![
        step(conv, &["input", "weight"], "map"),
        step(Operator::GlobalAverage { map: false }, &["map"], "features"),
    ];
    let program = program(steps, &[("weight", &[2, 1, 1, 1], &[2.0, 3.0])]);
    let (features, gradients) = run(&program, [2, 1, 2], &[1.0, 3.0, 5.0, 7.0], Mode::Serving);
    assert_close(&features, &[4.0, 18.0]);
    assert_close(&gradients[0], &[2.0, 6.0]);
}

#[test]
fn a_depthwise_convolution_is_what_its_taps_make_it() {
    let window = Window { strides: [2, 1], pads: [(1, 1), (1, 1)], dilations: [1; 2] };
    let conv = Operator::Conv { window, group: 2 };
    let steps = vec![
        step(conv, &["input", "weight", "bias"], "map"),
        step(Operator::Flatten, &["map"], "features"),
    ];
    let weight: Vec<f32> = (0_u8..18).map(f32::from).collect();
    let weights: [(&str, &[usize], &[f32]); 2] =
        [("weight", &[2, 1, 3, 3], &weight), ("bias", &[2], &[0.0, 1.0])];
    let program = program(steps, &weights);
    let input: Vec<f32> = (0_u8..18).map(|value| f32::from(value % 7)).collect();
    let (features, gradients) = run(&program, [2, 3, 3], &input, Mode::Serving);
    // The same sums in plain loops.
    let at = |channel: usize, y: usize, x: usize| {
        let inside = (1..4).contains(&y) && (1..4).contains(&x);
        if inside { input[channel * 9 + (y - 1) * 3 + x - 1] } else { 0.0 }
    };
    let (mut expected, mut slopes) = (Vec::new(), vec![0.0; 18]);
    for channel in 0..2 {
        for (row, column) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)] {
            let mut sum = if channel == 1 { 1.0 } else { 0.0 };
            for tap in 0..9 {
                let value = at(channel, 2 * row + tap / 3, column + tap % 3);
                sum += weight[channel * 9 + tap] * value;
                slopes[channel * 9 + tap] += value;
            }
            expected.push(sum);
        }
    }
    assert_close(&features, &expected);
    assert_close(&gradients[0], &slopes);
    assert_close(&gradients[1], &[6.0, 6.0]);
}

#[test]
fn pooling_sums_and_joins_are_those_of_onnx() {
    let window = Window { strides: [2; 2], pads: [(0, 0); 2], dilations: [1; 2] };
    let kernel = [2; 2];
    let average = Operator::AveragePool { kernel, window, ceil: false, count_pads: false };
    let steps = vec![
        step(Operator::Add, &["input", "constant"], "sum"),
        step(Operator::MaxPool { kernel, window, ceil: false }, &["sum"], "largest"),
        step(average, &["sum"], "mean"),
        step(Operator::Concat, &["largest", "mean"], "both"),
        step(Operator::Clip { low: None, high: Some(12.0) }, &["both"], "clipped"),
        step(Operator::Mul, &["clipped", "clipped"], "squared"),
        step(Operator::Identity, &["squared"], "same"),
        step(Operator::Gemm { transposed: true }, &["same", "weight", "bias"], "features"),
    ];
    let weights: [(&str, &[usize], &[f32]); 3] =
        [("constant", &[1], &[10.0]), ("weight", &[1, 2], &[1.0, 0.5]), ("bias", &[1], &[-1.0])];
    let program = program(steps, &weights);
    let (features, gradients) = run(&program, [1, 2, 2], &[0.0, 1.0, 2.0, 3.0], Mode::Serving);
    // The largest, 13, is clipped to 12; the mean is 11.5.
    assert_close(&features, &[144.0 + 0.5 * 132.25 - 1.0]);
    assert_close(&gradients[0], &[144.0, 132.25]);
}

#[test]
fn a_normalisation_learns_by_its_batch_and_serves_by_what_it_kept() {
    let names = ["input", "scale", "shift", "mean", "variance"];
    let steps = vec![
        step(Operator::BatchNorm { epsilon: 0.0 }, &names, "map"),
        step(Operator::Flatten, &["map"], "features"),
    ];
    let weights: [(&str, &[usize], &[f32]); 4] = [
        ("scale", &[1], &[2.0]),
        ("shift", &[1], &[1.0]),
        ("mean", &[1], &[1.0]),
        ("variance", &[1], &[4.0]),
    ];
    let program = program(steps, &weights);
    assert_eq!(program.cut(usize::MAX).learning, ["scale", "shift"]);
    let (served, _) = run(&program, [1, 1, 1], &[3.0, 7.0], Mode::Serving);
    assert_close(&served, &[3.0, 7.0]);
    let (learned, gradients) = run(&program, [1, 1, 1], &[3.0, 7.0], Mode::Learning);
    assert_close(&learned, &[-1.0, 3.0]);
    assert_close(&gradients[1], &[2.0]);
}

#[test]
fn the_shape_at_a_cut_is_that_of_its_value() {
    let window = Window { strides: [2; 2], pads: [(1, 1); 2], dilations: [1; 2] };
    let conv = |window| Operator::Conv { window, group: 1 };
    let steps = vec![
        step(conv(window), &["input", "a"], "first"),
        step(conv(PLAIN), &["first", "b"], "second"),
        step(Operator::GlobalAverage { map: true }, &["second"], "features"),
    ];
    let weights: [(&str, &[usize], &[f32]); 2] =
        [("a", &[5, 3, 3, 3], &[0.1; 135]), ("b", &[2, 5, 1, 1], &[0.1; 10])];
    let program = program(steps, &weights);
    let device = Device::flex();
    let shape = |cut: &Cut| shape_at(&program, cut, [9, 7], &device).unwrap();
    assert_eq!(shape(&program.cut(1)), [5, 5, 4]);
    assert_eq!(shape(&program.cut(2)), [3, 9, 7]);
}
