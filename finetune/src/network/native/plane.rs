//! The arithmetic of a convolution of each channel by itself.
//!
//! A plane is one channel of one picture. With its margins added it is a run of
//! numbers in which every tap of the window lies a fixed number of places after
//! the window's first, so a tap is one pass over the run, however narrow the
//! plane is. Places between those that a stride keeps are computed and left.

use aisle_train::onnx::Window;
use pulp::Arch;
use rayon::prelude::*;

/// Numbers that a sum keeps apart, so that the compiler may add them at once.
const LANES: usize = 16;

/// Where everything lies in a plane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plane {
    input: [usize; 2],
    kernel: [usize; 2],
    window: Window,
}

/// What is needed for a plane and used again for the next.
#[derive(Debug, Default)]
struct Room {
    padded: Vec<f32>,
    run: Vec<f32>,
}

impl Plane {
    /// Height and width of what comes in and of the window. `None` where the
    /// window is larger than what it moves over.
    pub(super) fn new(input: [usize; 2], kernel: [usize; 2], window: Window) -> Option<Self> {
        let plane = Self { input, kernel, window };
        let fits = [0, 1].map(|axis: usize| plane.reach(axis) <= plane.side(axis));
        let is_there = kernel.iter().chain(&window.strides).all(|number| *number > 0);
        (is_there && fits == [true; 2]).then_some(plane)
    }

    /// A side with its margins.
    fn side(&self, axis: usize) -> usize {
        let (before, after) = self.window.pads.get(axis).copied().unwrap_or_default();
        before + of(self.input, axis) + after
    }

    /// The places that a window covers.
    fn reach(&self, axis: usize) -> usize {
        of(self.window.dilations, axis) * of(self.kernel, axis).saturating_sub(1) + 1
    }

    /// Height and width of what comes out.
    pub(super) fn output(&self) -> [usize; 2] {
        let steps = |axis| {
            let room = self.side(axis).saturating_sub(self.reach(axis));
            room / of(self.window.strides, axis).max(1) + 1
        };
        [steps(0), steps(1)]
    }

    /// The length of the run that windows may begin in.
    fn starts(&self) -> usize {
        let last =
            |axis: usize| of(self.output(), axis).saturating_sub(1) * of(self.window.strides, axis);
        last(0) * self.side(1) + last(1) + 1
    }

    /// How far each tap lies after the first.
    fn taps(&self) -> Vec<usize> {
        let [down, across] = self.window.dilations;
        let [height, width] = self.kernel;
        let side = self.side(1);
        let tap = |row: usize| (0..width).map(move |column| row * down * side + column * across);
        (0..height).flat_map(tap).collect()
    }

    /// A plane with its margins, which are 0.
    fn pad(&self, plane: &[f32], padded: &mut Vec<f32>) {
        let [(top, _), (left, _)] = self.window.pads;
        let [_, width] = self.input;
        let side = self.side(1);
        padded.clear();
        padded.resize(self.side(0) * side, 0.0);
        let inside = padded.chunks_exact_mut(side.max(1)).skip(top);
        for (row, into) in plane.chunks_exact(width.max(1)).zip(inside) {
            if let Some(into) = into.get_mut(left..left + width) {
                into.copy_from_slice(row);
            }
        }
    }

    /// A gradient with its numbers where their windows begin.
    fn spread(&self, gradient: &[f32], run: &mut Vec<f32>) {
        let [down, across] = self.window.strides;
        let [_, width] = self.output();
        run.clear();
        run.resize(self.starts(), 0.0);
        let lines = run.chunks_mut((down * self.side(1)).max(1));
        for (row, line) in gradient.chunks_exact(width.max(1)).zip(lines) {
            for (number, slot) in row.iter().zip(line.iter_mut().step_by(across.max(1))) {
                *slot = *number;
            }
        }
    }

    fn inputs(&self) -> usize {
        self.input.iter().product::<usize>().max(1)
    }

    fn outputs(&self) -> usize {
        self.output().iter().product::<usize>().max(1)
    }

    /// `inputs` are planes one after the other, `[N, channels, height, width]`;
    /// `weight` has a window for each channel, `bias` a number.
    pub(super) fn convolve(&self, inputs: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
        let (taps, starts) = (self.taps(), self.starts());
        let [down, across] = self.window.strides;
        let [_, width] = self.output();
        let mut outputs = vec![0.0; inputs.len() / self.inputs() * self.outputs()];
        let planes = outputs.par_chunks_exact_mut(self.outputs()).enumerate();
        let arch = Arch::new();
        planes.for_each_init(Room::default, |room, (nth, output)| {
            let channel = nth % bias.len().max(1);
            self.pad(chunk(inputs, self.inputs(), nth), &mut room.padded);
            room.run.clear();
            room.run.resize(starts, bias.get(channel).copied().unwrap_or_default());
            let weight = chunk(weight, taps.len(), channel);
            arch.dispatch(|| gather(&mut room.run, &room.padded, &taps, weight));
            let lines = room.run.chunks((down * self.side(1)).max(1));
            for (row, line) in output.chunks_exact_mut(width.max(1)).zip(lines) {
                for (slot, sum) in row.iter_mut().zip(line.iter().step_by(across.max(1))) {
                    *slot = *sum;
                }
            }
        });
        outputs
    }

    /// The gradient of what came in, by that of what came out.
    pub(super) fn of_inputs(&self, gradients: &[f32], weight: &[f32]) -> Vec<f32> {
        let taps = self.taps();
        let channels = weight.len() / taps.len().max(1);
        let [(top, _), (left, _)] = self.window.pads;
        let ([_, width], side) = (self.input, self.side(1));
        let mut inputs = vec![0.0; gradients.len() / self.outputs() * self.inputs()];
        let planes = inputs.par_chunks_exact_mut(self.inputs()).enumerate();
        let arch = Arch::new();
        planes.for_each_init(Room::default, |room, (nth, input)| {
            self.spread(chunk(gradients, self.outputs(), nth), &mut room.run);
            room.padded.clear();
            room.padded.resize(self.side(0) * side, 0.0);
            let weight = chunk(weight, taps.len(), nth % channels.max(1));
            arch.dispatch(|| scatter(&room.run, &mut room.padded, &taps, weight));
            let inside = room.padded.chunks_exact(side.max(1)).skip(top);
            for (row, from) in input.chunks_exact_mut(width.max(1)).zip(inside) {
                if let Some(from) = from.get(left..left + width) {
                    row.copy_from_slice(from);
                }
            }
        });
        inputs
    }

    /// The gradients of weight and bias, by what came in and the gradient of
    /// what came out.
    pub(super) fn of_weights(
        &self,
        inputs: &[f32],
        gradients: &[f32],
        channels: usize,
    ) -> (Vec<f32>, Vec<f32>) {
        let taps = self.taps();
        let pictures = inputs.len() / (self.inputs() * channels.max(1));
        let mut weight = vec![0.0; taps.len() * channels];
        let mut bias = vec![0.0; channels];
        let each = weight.par_chunks_exact_mut(taps.len().max(1)).zip(&mut bias).enumerate();
        let arch = Arch::new();
        each.for_each_init(Room::default, |room, (channel, (weight, bias))| {
            for picture in 0..pictures {
                let nth = picture * channels + channel;
                let gradient = chunk(gradients, self.outputs(), nth);
                self.pad(chunk(inputs, self.inputs(), nth), &mut room.padded);
                self.spread(gradient, &mut room.run);
                arch.dispatch(|| meet(&room.run, &room.padded, &taps, weight));
                *bias += gradient.iter().sum::<f32>();
            }
        });
        (weight, bias)
    }
}

fn of([height, width]: [usize; 2], axis: usize) -> usize {
    if axis == 0 { height } else { width }
}

/// The `nth` of runs of one length.
fn chunk(numbers: &[f32], length: usize, nth: usize) -> &[f32] {
    numbers.get(nth * length..(nth + 1) * length).unwrap_or_default()
}

// What follows is compiled for the widest registers that the processor has, so
// it must end up within what is dispatched.

/// Adds to each place of a run what its taps meet, times their weights.
#[inline(always)]
fn gather(run: &mut [f32], padded: &[f32], taps: &[usize], weight: &[f32]) {
    for (tap, weight) in taps.iter().zip(weight) {
        let met = padded.get(*tap..).unwrap_or_default();
        for (sum, met) in run.iter_mut().zip(met) {
            *sum += weight * met;
        }
    }
}

/// Adds each place of a run to what its taps meet, times their weights.
#[inline(always)]
fn scatter(run: &[f32], padded: &mut [f32], taps: &[usize], weight: &[f32]) {
    for (tap, weight) in taps.iter().zip(weight) {
        let met = padded.get_mut(*tap..).unwrap_or_default();
        for (sum, gradient) in met.iter_mut().zip(run) {
            *sum += weight * gradient;
        }
    }
}

/// Adds to each tap's sum the products of a run and what the tap meets.
#[inline(always)]
fn meet(run: &[f32], padded: &[f32], taps: &[usize], sums: &mut [f32]) {
    for (tap, sum) in taps.iter().zip(sums) {
        *sum += dot(run, padded.get(*tap..).unwrap_or_default());
    }
}

/// The sum of products, over as many as both have.
#[inline(always)]
fn dot(left: &[f32], right: &[f32]) -> f32 {
    let both = left.len().min(right.len());
    let (left, right) = (left.get(..both), right.get(..both));
    let (left, right) = (left.unwrap_or_default(), right.unwrap_or_default());
    let (wide_left, rest_left) = left.as_chunks::<LANES>();
    let (wide_right, rest_right) = right.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (left, right) in wide_left.iter().zip(wide_right) {
        for ((sum, left), right) in sums.iter_mut().zip(left).zip(right) {
            *sum += left * right;
        }
    }
    let rest: f32 = rest_left.iter().zip(rest_right).map(|(left, right)| left * right).sum();
    sums.iter().sum::<f32>() + rest
}
