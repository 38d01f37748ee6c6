//! A step of learning: what it starts from, its loss, and what it changes.

use std::collections::HashMap;

use aisle_train::onnx::{Cut, Program, Step};
use aisle_train::road::tuning::Rules;
use burn::optim::{AdamW, AdamWConfig, AdamWState, Optimizer as _};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};

use crate::TuneError;
use crate::network::{Mode, Upper, Weights, values};

/// The head's weight `[categories, width]`.
pub(crate) const HEAD_WEIGHT: &str = "head/weight";
/// The head's bias `[categories]`.
pub(crate) const HEAD_BIAS: &str = "head/bias";

/// How much of the statistics that are kept a batch replaces.
const MOMENTUM: f64 = 0.1;

/// What learns, with all that a step needs to remember.
pub(crate) struct Learner {
    pub(crate) upper: Upper,
    pub(crate) weights: Weights,
    /// The running average of each weight: what serves in the end.
    pub(crate) average: Vec<Tensor<1>>,
    /// First and second moments of each weight, once there are any.
    pub(crate) moments: Vec<Option<AdamWState<1>>>,
    /// Steps that were made.
    pub(crate) steps: usize,
    /// The learning rate of each weight by that of the head.
    rates: Vec<f64>,
    /// Channels, height and width of what is shown.
    shape: [usize; 3],
    mode: Mode,
    keep: f64,
    decaying: AdamW,
    plain: AdamW,
    device: Device,
}

/// AdamW (Loshchilov and Hutter 2019).
fn optimiser(weight_decay: f64) -> AdamW {
    #[expect(clippy::cast_possible_truncation, reason = "the optimiser takes single precision")]
    let weight_decay = weight_decay as f32;
    AdamWConfig::new().with_weight_decay(weight_decay).with_epsilon(1e-8).build()
}

/// A linear head to begin with.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    /// `[categories, width]`, row by row.
    pub(crate) weight: Vec<f32>,
    /// `[categories]`.
    pub(crate) bias: Vec<f32>,
}

/// Pictures to learn from in one step.
#[derive(Debug)]
pub(crate) struct Batch {
    /// What is shown, one picture after the other.
    pub(crate) values: Vec<f32>,
    /// The share of each category in each picture, times what the picture
    /// counts: `[N, categories]`.
    pub(crate) targets: Vec<f32>,
    /// The category of each.
    pub(crate) labels: Vec<usize>,
    /// How much of the next picture is mixed into each.
    pub(crate) mixed: f32,
}

/// What a step found.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Found {
    pub(crate) loss: f64,
    /// Pictures whose best category was right.
    pub(crate) right: usize,
}

impl Learner {
    pub(crate) fn new(
        program: &Program,
        cut: &Cut,
        shape: [usize; 3],
        start: &Start,
        rules: &Rules,
        device: &Device,
    ) -> Self {
        let mut weights = Weights::new();
        for name in &cut.learning {
            if let Some(weight) = program.weights.get(name) {
                weights.push(name, &weight.dims, &weight.values, device);
            }
        }
        let categories = start.bias.len();
        let width = start.weight.len() / categories.max(1);
        weights.push(HEAD_WEIGHT, &[categories, width], &start.weight, device);
        weights.push(HEAD_BIAS, &[categories], &start.bias, device);
        let depths = depths(program, cut);
        let decay = |name: &String| {
            let depth = depths.get(name.as_str()).copied().unwrap_or_default();
            rules.layer_decay.powi(i32::try_from(depth).unwrap_or(i32::MAX))
        };
        Self {
            upper: Upper::new(program, cut, device),
            average: weights.tensors.clone(),
            moments: weights.tensors.iter().map(|_| None).collect(),
            steps: 0,
            rates: weights.names.iter().map(decay).collect(),
            weights,
            shape,
            mode: if rules.statistics { Mode::Learning } else { Mode::Serving },
            keep: rules.average,
            decaying: optimiser(rules.weight_decay),
            plain: optimiser(0.0),
            device: device.clone(),
        }
    }

    /// Learns from a batch.
    pub(crate) fn step(&mut self, batch: &Batch, rate: f64) -> Result<Found, TuneError> {
        let count = batch.labels.len();
        let categories = batch.targets.len() / count.max(1);
        let mut input = self.input(&batch.values, count);
        if batch.mixed > 0.0 && count > 1 {
            let next = Tensor::cat(
                vec![input.clone().narrow(0, 1, count - 1), input.clone().narrow(0, 0, 1)],
                0,
            );
            input = input.mul_scalar(1.0 - batch.mixed) + next.mul_scalar(batch.mixed);
        }
        let targets = TensorData::new(batch.targets.clone(), [count, categories]);
        let targets = Tensor::<2>::from_data(targets, &self.device).autodiff();
        let tracked = self.weights.tracked();
        let (features, statistics) = self.upper.features(input.autodiff(), &tracked, self.mode)?;
        let logits = head(features, &tracked)?;
        let loss = (log_softmax(logits.clone(), 1) * targets).sum().neg();
        let loss = loss.div_scalar(float(count.max(1)));
        let gradients = loss.backward();
        for (name, batch) in statistics {
            let known = self.upper.constant(&name).cloned();
            let known = known.ok_or_else(|| TuneError::Tensor(format!("no statistic {name}")))?;
            let kept = known.mul_scalar(1.0 - MOMENTUM) + batch.mul_scalar(MOMENTUM);
            self.upper.keep(&name, kept);
        }
        self.steps += 1;
        // The average follows quickly as long as it has seen little.
        let seen = float(self.steps);
        let keep = self.keep.min(seen / (10.0 + seen));
        for (place, tracked) in tracked.tensors.iter().enumerate() {
            if let Some(gradient) = tracked.grad(&gradients) {
                self.change(place, gradient, rate, keep);
            }
        }
        let loss = values(loss)?.first().copied().unwrap_or(f32::NAN);
        if !loss.is_finite() {
            return Err(TuneError::Diverged { step: self.steps, rate });
        }
        let answered = values(logits)?;
        let best = answered.chunks(categories.max(1)).map(best_of);
        let right = best.zip(&batch.labels).filter(|(best, label)| best == *label).count();
        Ok(Found { loss: f64::from(loss), right })
    }

    fn change(&mut self, place: usize, gradient: Tensor<1>, rate: f64, keep: f64) {
        let (Some(weight), Some(moments), Some(average), Some(factor), Some(dims)) = (
            self.weights.tensors.get_mut(place),
            self.moments.get_mut(place),
            self.average.get_mut(place),
            self.rates.get(place),
            self.weights.dims.get(place),
        ) else {
            return;
        };
        // A bias that shrinks helps nobody.
        let optimiser = if dims.len() > 1 { &self.decaying } else { &self.plain };
        let step = optimiser.step(rate * factor, weight.clone(), gradient, moments.take());
        (*weight, *moments) = step;
        *average = average.clone().mul_scalar(keep) + weight.clone().mul_scalar(1.0 - keep);
    }

    /// The logits of what is shown, by the running average of the weights, and
    /// the largest sum of the sizes of the products that a logit is made of.
    pub(crate) fn answers(
        &self,
        shown: &[f32],
        count: usize,
    ) -> Result<(Vec<f32>, f32), TuneError> {
        let weights = Weights { tensors: self.average.clone(), ..self.weights.clone() };
        let input = self.input(shown, count);
        let (features, _) = self.upper.features(input, &weights, Mode::Serving)?;
        let sizes = Weights {
            tensors: weights.tensors.iter().map(|tensor| tensor.clone().abs()).collect(),
            ..weights.clone()
        };
        let sizes = values(head(features.clone().abs(), &sizes)?)?;
        let largest = sizes.into_iter().fold(0.0, f32::max);
        Ok((values(head(features, &weights)?)?, largest))
    }

    fn input(&self, shown: &[f32], count: usize) -> Tensor<4> {
        let [channels, height, width] = self.shape;
        let data = TensorData::new(shown.to_vec(), [count, channels, height, width]);
        Tensor::from_data(data, &self.device)
    }

    /// Takes a running average that was kept, with the statistics that belong
    /// to it, in place of the present one.
    pub(crate) fn take(&mut self, average: Vec<Tensor<1>>, statistics: Vec<(String, Tensor<1>)>) {
        self.average = average;
        for (name, values) in statistics {
            self.upper.keep(&name, values);
        }
    }

    /// The statistics that normalisations keep.
    pub(crate) fn statistics(&self) -> Vec<(String, Tensor<1>)> {
        let names = self.upper.statistics().into_iter();
        names.filter_map(|name| Some((name.clone(), self.upper.constant(&name)?.clone()))).collect()
    }
}

/// `features · weightᵀ + bias`.
fn head(features: Tensor<2>, weights: &Weights) -> Result<Tensor<2>, TuneError> {
    let missing = || TuneError::Tensor("there is no head".to_owned());
    let (weight, dims) = weights.get(HEAD_WEIGHT).ok_or_else(missing)?;
    let (bias, _) = weights.get(HEAD_BIAS).ok_or_else(missing)?;
    let [categories, width]: [usize; 2] = dims.try_into().map_err(|_| missing())?;
    let weight: Tensor<2> = weight.clone().reshape([categories, width]);
    Ok(features.matmul(weight.transpose()) + bias.clone().unsqueeze::<2>())
}

/// How many layers stand above each weight, the head among them.
fn depths<'a>(program: &'a Program, cut: &Cut) -> HashMap<&'a str, usize> {
    let steps = program.steps.iter().skip(cut.first);
    let layers: Vec<&[String]> = steps
        .map(Step::learnable)
        .filter(|names| names.iter().any(|name| cut.learning.contains(name)))
        .collect();
    let named = layers.into_iter().rev().enumerate();
    named
        .flat_map(|(above, names)| names.iter().map(move |name| (name.as_str(), above + 1)))
        .collect()
}

fn best_of(row: &[f32]) -> usize {
    let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.map_or(0, |(place, _)| place)
}

#[expect(clippy::cast_precision_loss, reason = "counts of pictures and steps are far below 2^52")]
const fn float(number: usize) -> f64 {
    number as f64
}
