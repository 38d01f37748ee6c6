//! A head with a hidden layer: rectified units between the features and the softmax.
//!
//! It is learned in batches by Adam with decoupled decay (Loshchilov and Hutter,
//! "Decoupled Weight Decay Regularization", 2019), along half a cosine, with dropout of
//! features and units (Srivastava et al., "Dropout", 2014). Hidden units lie in parts
//! that threads share; the parts do not depend on the number of threads, so neither
//! does the result.

use ndarray::{
    Array, Array1, Array2, ArrayView2, Axis, Dimension, Ix1, Ix2, Slice, Zip, concatenate,
};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_distr::StandardNormal;
use rayon::prelude::*;

use super::LinearHead;
use super::objective::residuals;
use super::product::{add_by_columns, by_rows};

/// Parts that hidden units lie in.
const PARTS: usize = 8;

/// Pictures in a step, at least and at most, and the steps of an epoch that there are
/// to be where pictures are few.
const BATCH: (usize, usize) = (16, 256);
const STEPS: usize = 100;

/// How often all pictures are learned from.
pub(super) const EPOCHS: usize = 15;

/// The largest learning rate, for features of deviation 1.
const RATE: f64 = 1e-3;

/// The decay of weights in a step, by the learning rate.
pub(super) const DECAY: f64 = 0.02;

/// The shares of features and of hidden units that are left out of a step.
const DROPPED: [f64; 2] = [0.25, 0.5];

/// Adam's averages, and what keeps it from dividing by nothing.
const AVERAGES: [f32; 2] = [0.9, 0.999];
const EPSILON: f32 = 1e-8;

/// What is learned from.
pub(super) struct Lesson<'a> {
    /// Features on one scale, a row for each picture.
    pub(super) features: ArrayView2<'a, f32>,
    /// Their deviation.
    pub(super) deviation: f64,
    /// The category of each picture, by its place.
    pub(super) labels: &'a [usize],
    /// How much each picture counts, 1 together.
    pub(super) weights: &'a [f32],
    pub(super) categories: usize,
    pub(super) units: usize,
    pub(super) seed: u64,
}

/// A head that learns.
pub(super) struct Learner<'a> {
    lesson: Lesson<'a>,
    hidden: Vec<Layer>,
    output: Layer,
    order: Vec<usize>,
    random: StdRng,
    step: usize,
}

/// A layer, or a part of one, with Adam's averages of its gradients.
struct Layer {
    weight: Moving<Ix2>,
    bias: Moving<Ix1>,
}

struct Moving<D> {
    at: Array<f32, D>,
    mean: Array<f32, D>,
    square: Array<f32, D>,
}

/// How far a step goes.
#[derive(Clone, Copy)]
struct Stride {
    rate: f32,
    /// The share of a weight that goes.
    decay: f32,
    /// What the averages lack at first.
    corrections: [f32; 2],
}

impl<'a> Learner<'a> {
    pub(super) fn new(lesson: Lesson<'a>) -> Self {
        let mut random = StdRng::seed_from_u64(lesson.seed);
        let width = lesson.features.ncols();
        let each = of_part(lesson.units);
        let mut left = lesson.units;
        let mut hidden = Vec::new();
        while left > 0 {
            let units = each.min(left);
            hidden.push(Layer::new(units, width, 1.0 / lesson.deviation, &mut random));
            left -= units;
        }
        let output = Layer::new(lesson.categories, lesson.units, 0.1, &mut random);
        let order = (0..lesson.features.nrows()).collect();
        Self { lesson, hidden, output, order, random, step: 0 }
    }

    /// Learns from all pictures once; the mean loss, with all that makes learning
    /// harder.
    #[expect(clippy::cast_precision_loss, reason = "counts of pictures are far below 2^52")]
    pub(super) fn epoch(&mut self) -> f64 {
        self.order.shuffle(&mut self.random);
        let order = std::mem::take(&mut self.order);
        let losses: Vec<f64> =
            order.chunks(self.batch()).map(|places| self.learn(places)).collect();
        self.order = order;
        losses.iter().sum::<f64>() / losses.len().max(1) as f64
    }

    /// What was learned, on features on one scale: the hidden layer and the output's.
    pub(super) fn layers(&self) -> [LinearHead; 2] {
        let weights: Vec<_> = self.hidden.iter().map(|part| part.weight.at.view()).collect();
        let biases: Vec<_> = self.hidden.iter().map(|part| part.bias.at.view()).collect();
        let none = (0, self.lesson.features.ncols());
        let hidden = LinearHead {
            weight: concatenate(Axis(0), &weights).unwrap_or_else(|_| Array2::zeros(none)),
            bias: concatenate(Axis(0), &biases).unwrap_or_else(|_| Array1::zeros(0)),
        };
        let Layer { weight, bias } = &self.output;
        [hidden, LinearHead { weight: weight.at.clone(), bias: bias.at.clone() }]
    }

    fn learn(&mut self, places: &[usize]) -> f64 {
        let [of_features, of_units] = DROPPED;
        let mut features = self.lesson.features.select(Axis(0), places);
        features *= &dropout(features.dim(), of_features, &mut self.random);
        let units: Vec<Array2<f32>> = (self.hidden.par_iter())
            .map(|part| by_rows(&features.view(), &part.weight.at.view()) + &part.bias.at)
            .collect();
        let units: Vec<_> = units.iter().map(|part| part.view()).collect();
        let Ok(units) = concatenate(Axis(1), &units) else { return 0.0 };
        let kept = dropout(units.dim(), of_units, &mut self.random);
        let active = units.mapv(|unit| unit.max(0.0)) * &kept;
        let Layer { weight, bias } = &self.output;
        let mut residual = by_rows(&active.view(), &weight.at.view()) + &bias.at;
        let (labels, weights) = self.told(places);
        let loss = residuals(residual.view_mut(), &labels, &weights);

        let mut back = residual.dot(&self.output.weight.at);
        back *= &kept;
        back.zip_mut_with(&units, |slope, unit| {
            if *unit <= 0.0 {
                *slope = 0.0;
            }
        });
        let stride = self.stride();
        self.output.step(&residual.view(), &active.view(), stride);
        let stride = Stride { rate: stride.rate / single(self.lesson.deviation), ..stride };
        let each = of_part(self.lesson.units);
        self.hidden.par_iter_mut().enumerate().for_each(|(nth, part)| {
            let begin = nth * each;
            let own = Slice::from(begin..begin + part.bias.at.len());
            let own = back.slice_axis(Axis(1), own).to_owned();
            part.step(&own.view(), &features.view(), stride);
        });
        loss
    }

    /// The categories of pictures, and how much each counts where these are all.
    #[expect(clippy::cast_precision_loss, reason = "counts of pictures are far below 2^52")]
    fn told(&self, places: &[usize]) -> (Vec<usize>, Vec<f32>) {
        let Lesson { labels, weights, .. } = &self.lesson;
        let share = labels.len() as f32 / places.len().max(1) as f32;
        let known = places.iter().filter_map(|place| {
            let (label, weight) = (labels.get(*place)?, weights.get(*place)?);
            Some((*label, weight * share))
        });
        known.unzip()
    }

    #[expect(clippy::cast_precision_loss, reason = "steps are far below 2^52")]
    fn stride(&mut self) -> Stride {
        let all = EPOCHS * self.lesson.labels.len().div_ceil(self.batch()).max(1);
        self.step += 1;
        let done = (self.step as f64 / all as f64).min(1.0);
        let rate = RATE * 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
        let power = i32::try_from(self.step).unwrap_or(i32::MAX);
        let corrections = AVERAGES.map(|average| 1.0 - average.powi(power));
        Stride { rate: single(rate), decay: single(rate * DECAY), corrections }
    }

    /// Pictures in a step.
    fn batch(&self) -> usize {
        let (least, most) = BATCH;
        (self.lesson.labels.len() / STEPS).clamp(least, most)
    }
}

impl Layer {
    /// One whose values have about the deviation `gain` where those that come in have
    /// 1.
    #[expect(clippy::cast_precision_loss, reason = "counts of features are far below 2^52")]
    fn new(units: usize, width: usize, gain: f64, random: &mut StdRng) -> Self {
        let scale = single(gain / (width.max(1) as f64).sqrt());
        let weight = Array2::from_shape_simple_fn((units, width), || {
            scale * random.sample::<f32, _>(StandardNormal)
        });
        Self { weight: Moving::of(weight), bias: Moving::of(Array1::zeros(units)) }
    }

    /// One step of Adam: `slopes` are those of the layer's values, a row for each
    /// picture, and `inputs` what came in.
    fn step(&mut self, slopes: &ArrayView2<'_, f32>, inputs: &ArrayView2<'_, f32>, by: Stride) {
        let mut gradient = Array2::zeros(self.weight.at.dim());
        add_by_columns(&mut gradient, slopes, inputs);
        self.weight.at *= 1.0 - by.decay;
        self.weight.step(&gradient, by);
        self.bias.step(&slopes.sum_axis(Axis(0)), by);
    }
}

impl<D: Dimension> Moving<D> {
    fn of(at: Array<f32, D>) -> Self {
        let zero = Array::zeros(at.raw_dim());
        Self { at, mean: zero.clone(), square: zero }
    }

    /// One step of Adam against a gradient.
    fn step(&mut self, gradient: &Array<f32, D>, by: Stride) {
        let [first, second] = AVERAGES;
        let [of_mean, of_square] = by.corrections;
        let Self { at, mean, square } = self;
        Zip::from(at).and(mean).and(square).and(gradient).for_each(|at, mean, square, slope| {
            *mean = first * *mean + (1.0 - first) * slope;
            *square = second * *square + (1.0 - second) * slope * slope;
            *at -= by.rate * (*mean / of_mean) / ((*square / of_square).sqrt() + EPSILON);
        });
    }
}

/// Hidden units in a part.
const fn of_part(units: usize) -> usize {
    let each = units.div_ceil(PARTS);
    if each == 0 { 1 } else { each }
}

/// 0 for a share of the places, and for the others what keeps their sum.
fn dropout(shape: (usize, usize), share: f64, random: &mut StdRng) -> Array2<f32> {
    let (rows, columns) = shape;
    let mut bytes = vec![0_u8; rows * columns];
    random.fill(bytes.as_mut_slice());
    let below = single(share * 256.0);
    let kept = single(1.0 / (1.0 - share));
    let values = bytes.into_iter().map(|byte| if f32::from(byte) < below { 0.0 } else { kept });
    Array2::from_shape_vec(shape, values.collect()).unwrap_or_else(|_| Array2::ones(shape))
}

#[expect(clippy::cast_possible_truncation, reason = "weights are of single precision")]
const fn single(value: f64) -> f32 {
    value as f32
}
