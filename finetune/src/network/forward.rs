//! Running a network's upper part, step by step.

use std::collections::HashMap;

use aisle_train::onnx::{Cut, Operator, Program, Step};
use burn::tensor::module::{avg_pool2d, batch_norm, batch_norm_train, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor};

use super::Weights;
use super::convolve::convolve;
use super::native;
use super::weights::tensor;
use crate::TuneError;

/// The part of a network that learns: from the value at its cut to its
/// features.
#[derive(Debug)]
pub(crate) struct Upper {
    steps: Vec<Step>,
    input: String,
    output: String,
    /// What does not learn, with its dimensions.
    constants: HashMap<String, (Tensor<1>, Vec<usize>)>,
}

/// Which statistics normalisations use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Those that are kept, as in serving.
    Serving,
    /// Those of the batch, which come back to be kept.
    Learning,
}

/// Mean and variance of a batch for each normalisation, by the names under
/// which they are kept.
pub(crate) type Statistics = Vec<(String, Tensor<1>)>;

/// What a step hands on.
#[derive(Debug, Clone)]
enum Value {
    /// `[N, channels, height, width]`.
    Map(Tensor<4>),
    /// `[N, width]`.
    Row(Tensor<2>),
}

impl Upper {
    /// The steps above a cut; weights that do not learn stay as they are.
    pub(crate) fn new(program: &Program, cut: &Cut, device: &Device) -> Self {
        let steps: Vec<Step> = program.steps.iter().skip(cut.first).cloned().collect();
        let used: Vec<&String> = steps.iter().flat_map(|step| &step.inputs).collect();
        let constants = (program.weights.iter())
            .filter(|(name, _)| used.contains(name) && !cut.learning.contains(name))
            .map(|(name, weight)| {
                (name.clone(), (tensor(&weight.values, device), weight.dims.clone()))
            })
            .collect();
        Self { steps, input: cut.value.clone(), output: program.output.clone(), constants }
    }

    /// The features `[N, width]` of a value at the cut, `[N, channels, height,
    /// width]`.
    pub(crate) fn features(
        &self,
        input: Tensor<4>,
        weights: &Weights,
        mode: Mode,
    ) -> Result<(Tensor<2>, Statistics), TuneError> {
        let run = self.run(input, weights, mode)?;
        let features = match run.value(&self.output)? {
            Value::Map(map) => map.flatten(1, 3),
            Value::Row(row) => row,
        };
        Ok((features, run.statistics))
    }

    fn run<'a>(
        &'a self,
        input: Tensor<4>,
        weights: &'a Weights,
        mode: Mode,
    ) -> Result<Run<'a>, TuneError> {
        let mut run = Run { upper: self, weights, values: HashMap::new(), statistics: Vec::new() };
        run.values.insert(self.input.as_str(), Value::Map(input));
        for step in &self.steps {
            let value = run.step(step, mode)?;
            run.values.insert(step.output.as_str(), value);
        }
        Ok(run)
    }

    /// Puts other statistics in the place of those that are kept.
    pub(crate) fn keep(&mut self, name: &str, values: Tensor<1>) {
        if let Some((tensor, _)) = self.constants.get_mut(name) {
            *tensor = values;
        }
    }

    /// A constant's values.
    pub(crate) fn constant(&self, name: &str) -> Option<&Tensor<1>> {
        self.constants.get(name).map(|(tensor, _)| tensor)
    }

    /// The names of the statistics that normalisations keep.
    pub(crate) fn statistics(&self) -> Vec<String> {
        let is_norm = |step: &&Step| matches!(step.operator, Operator::BatchNorm { .. });
        let names = self.steps.iter().filter(is_norm).flat_map(|step| step.inputs.iter().skip(3));
        names.cloned().collect()
    }
}

/// Channels, height and width of the value at a cut, for images of that height
/// and width; a row counts as a map of one pixel.
pub(crate) fn shape_at(
    program: &Program,
    cut: &Cut,
    [height, width]: [usize; 2],
    device: &Device,
) -> Result<[usize; 3], TuneError> {
    let mut below = program.clone();
    below.steps.truncate(cut.first);
    below.output.clone_from(&cut.value);
    let whole = Cut { value: program.input.clone(), first: 0, learning: Vec::new() };
    let lower = Upper::new(&below, &whole, device);
    let none = Weights::new();
    let run = lower.run(Tensor::zeros([1, 3, height, width], device), &none, Mode::Serving)?;
    Ok(match run.value(&below.output)? {
        Value::Map(map) => {
            let [_, channels, height, width] = map.dims();
            [channels, height, width]
        }
        Value::Row(row) => [row.dims()[1], 1, 1],
    })
}

/// One pass through the steps.
struct Run<'a> {
    upper: &'a Upper,
    weights: &'a Weights,
    values: HashMap<&'a str, Value>,
    statistics: Statistics,
}

impl Run<'_> {
    fn step(&mut self, step: &Step, mode: Mode) -> Result<Value, TuneError> {
        let value = match step.operator {
            Operator::Conv { window, group } => {
                let weight = self.weight(step, 1)?;
                let bias = self.bias(step)?;
                Value::Map(convolve(self.map(step, 0)?, weight, bias, window, group))
            }
            Operator::Clip { low, high } => match self.input(step, 0)? {
                Value::Map(map) => Value::Map(clip(map, low, high)),
                Value::Row(row) => Value::Row(clip(row, low, high)),
            },
            Operator::Add => self.both(step, |a, b| a + b, |a, b| a + b)?,
            Operator::Mul => self.both(step, |a, b| a * b, |a, b| a * b)?,
            Operator::Concat => self.concat(step)?,
            Operator::MaxPool { kernel, window, ceil } => {
                let options = MaxPoolOptions {
                    kernel_size: kernel,
                    stride: window.strides,
                    padding: window.pads,
                    dilation: window.dilations,
                    ceil_mode: ceil,
                };
                Value::Map(max_pool2d(self.map(step, 0)?, options))
            }
            Operator::AveragePool { kernel, window, ceil, count_pads } => {
                let options = AvgPoolOptions {
                    kernel_size: kernel,
                    stride: window.strides,
                    padding: window.pads,
                    count_include_pad: count_pads,
                    ceil_mode: ceil,
                };
                Value::Map(avg_pool2d(self.map(step, 0)?, options))
            }
            Operator::GlobalAverage { map } => {
                let mean = self.map(step, 0)?.mean_dim(3).mean_dim(2);
                if map { Value::Map(mean) } else { Value::Row(mean.flatten(1, 3)) }
            }
            Operator::Flatten => match self.input(step, 0)? {
                Value::Map(map) => Value::Row(map.flatten(1, 3)),
                row @ Value::Row(_) => row,
            },
            Operator::Gemm { transposed } => {
                let row = match self.input(step, 0)? {
                    Value::Map(map) => map.flatten(1, 3),
                    Value::Row(row) => row,
                };
                let weight: Tensor<2> = self.weight(step, 1)?;
                let weight = if transposed { weight.transpose() } else { weight };
                let product = row.matmul(weight);
                Value::Row(match self.bias(step)? {
                    Some(bias) => product + bias.unsqueeze::<2>(),
                    None => product,
                })
            }
            Operator::BatchNorm { epsilon } => Value::Map(self.normalise(step, epsilon, mode)?),
            Operator::Identity => self.input(step, 0)?,
        };
        Ok(value)
    }

    fn normalise(&mut self, step: &Step, epsilon: f64, mode: Mode) -> Result<Tensor<4>, TuneError> {
        let map = self.map(step, 0)?;
        let [scale, shift, mean, variance] = [1, 2, 3, 4].map(|nth| self.weight::<1>(step, nth));
        let (scale, shift) = (scale?, shift?);
        if mode == Mode::Serving {
            return Ok(batch_norm(map, scale, shift, mean?, variance?, epsilon));
        }
        let normalised = batch_norm_train(map, scale, shift, epsilon);
        for (nth, batch) in [(3, normalised.mean), (4, normalised.variance)] {
            let name = step.inputs.get(nth).ok_or_else(|| unfit(step))?;
            self.statistics.push((name.clone(), batch.inner()));
        }
        Ok(normalised.output)
    }

    fn value(&self, name: &str) -> Result<Value, TuneError> {
        self.values.get(name).cloned().ok_or_else(|| TuneError::Tensor(format!("no value {name}")))
    }

    fn input(&self, step: &Step, nth: usize) -> Result<Value, TuneError> {
        let name = step.inputs.get(nth).ok_or_else(|| unfit(step))?;
        self.value(name)
    }

    fn map(&self, step: &Step, nth: usize) -> Result<Tensor<4>, TuneError> {
        match self.input(step, nth)? {
            Value::Map(map) => Ok(map),
            Value::Row(_) => Err(unfit(step)),
        }
    }

    /// A weight or constant, with ones before its dimensions where it has
    /// fewer.
    fn weight<const D: usize>(&self, step: &Step, nth: usize) -> Result<Tensor<D>, TuneError> {
        let name = step.inputs.get(nth).ok_or_else(|| unfit(step))?;
        let constant =
            self.upper.constants.get(name).map(|(tensor, dims)| (tensor, dims.as_slice()));
        let (tensor, dims) = self.weights.get(name).or(constant).ok_or_else(|| unfit(step))?;
        let missing = D.checked_sub(dims.len()).ok_or_else(|| unfit(step))?;
        let mut shape = [1; D];
        for (slot, dim) in shape.iter_mut().skip(missing).zip(dims) {
            *slot = *dim;
        }
        Ok(tensor.clone().reshape(shape))
    }

    /// The third input, where there is one.
    fn bias(&self, step: &Step) -> Result<Option<Tensor<1>>, TuneError> {
        let is_there = step.inputs.get(2).is_some_and(|name| !name.is_empty());
        is_there.then(|| self.weight(step, 2)).transpose()
    }

    /// Two values, or a value and a constant on either side.
    fn both(
        &self,
        step: &Step,
        maps: fn(Tensor<4>, Tensor<4>) -> Tensor<4>,
        rows: fn(Tensor<2>, Tensor<2>) -> Tensor<2>,
    ) -> Result<Value, TuneError> {
        let (left, right) = (self.input(step, 0).ok(), self.input(step, 1).ok());
        Ok(match (left, right) {
            (Some(Value::Map(a)), Some(Value::Map(b))) => Value::Map(maps(a, b)),
            (Some(Value::Row(a)), Some(Value::Row(b))) => Value::Row(rows(a, b)),
            (Some(Value::Map(a)), None) => Value::Map(maps(a, self.weight(step, 1)?)),
            (Some(Value::Row(a)), None) => Value::Row(rows(a, self.weight(step, 1)?)),
            (None, Some(Value::Map(b))) => Value::Map(maps(self.weight(step, 0)?, b)),
            (None, Some(Value::Row(b))) => Value::Row(rows(self.weight(step, 0)?, b)),
            _ => return Err(unfit(step)),
        })
    }

    fn concat(&self, step: &Step) -> Result<Value, TuneError> {
        let (mut maps, mut rows) = (Vec::new(), Vec::new());
        for nth in 0..step.inputs.len() {
            match self.input(step, nth)? {
                Value::Map(map) => maps.push(map),
                Value::Row(row) => rows.push(row),
            }
        }
        match (maps.is_empty(), rows.is_empty()) {
            (false, true) => Ok(Value::Map(Tensor::cat(maps, 1))),
            (true, false) => Ok(Value::Row(Tensor::cat(rows, 1))),
            _ => Err(unfit(step)),
        }
    }
}

fn clip<const D: usize>(value: Tensor<D>, low: Option<f32>, high: Option<f32>) -> Tensor<D> {
    match (low, high) {
        (Some(0.0), None) => burn::tensor::activation::relu(value),
        (Some(low), Some(high)) => {
            native::clip(&value, low, high).unwrap_or_else(|| value.clamp(low, high))
        }
        (Some(low), None) => value.clamp_min(low),
        (None, Some(high)) => value.clamp_max(high),
        (None, None) => value,
    }
}

/// The network ran in ONNX Runtime, so this is a step that means something
/// else than it was taken for.
fn unfit(step: &Step) -> TuneError {
    TuneError::Tensor(format!("{:?} does not fit its inputs {:?}", step.operator, step.inputs))
}
