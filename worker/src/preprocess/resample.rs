//! Pillow's antialiased resize on 8-bit RGB, bit for bit: a pass along the
//! rows, rounded to bytes, and one along the columns, each a weighted sum in
//! 22-bit fixed point (Pillow, `src/libImaging/Resample.c`).
//!
//! Only the window that the crop keeps is computed. Every output pixel has
//! weights of its own, so the window's pixels are those of the whole image.

mod passes;
#[cfg(target_arch = "x86_64")]
mod wide;

use image::RgbImage;

use super::plan::Plan;
use crate::model::{Extent, Filter};
use passes::{along_rows, down_columns};

/// Bits behind the point: 32 less the byte's and two for overshoot.
const PRECISION: u32 = 32 - 8 - 2;

/// The window's pixels, packed RGB; black where it reaches past the image.
pub(super) fn run(image: &RgbImage, plan: &Plan) -> Vec<u8> {
    let columns = Span::of(plan.left, plan.window.width, plan.resized.width);
    let rows = Span::of(plan.top, plan.window.height, plan.resized.height);
    let inner = match Kernel::of(plan.filter) {
        Some(kernel) => {
            let across = taps(image.width(), plan.resized.width, columns, kernel);
            let down = taps(image.height(), plan.resized.height, rows, kernel);
            convolve(image, &across, &down, First::of(image, plan.resized))
        }
        None => nearest(image, plan, columns, rows),
    };
    placed(inner, plan.window, columns, rows)
}

/// The part of a window along one axis that lies in the resized image.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// Pixels of the window before it.
    margin: usize,
    /// Its first pixel in the resized image.
    first: usize,
    /// Its length.
    len: usize,
}

impl Span {
    fn of(start: i64, window: u32, resized: u32) -> Self {
        let first = start.max(0);
        let end = (start + i64::from(window)).min(i64::from(resized));
        let whole = |value: i64| usize::try_from(value).unwrap_or(0);
        Self { margin: whole(first - start), first: whole(first), len: whole(end - first) }
    }
}

/// What one output pixel takes from the input along an axis.
#[derive(Debug)]
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

impl Taps {
    fn end(&self) -> usize {
        self.first + self.weights.len()
    }
}

/// A filter's curve and how far it reaches.
#[derive(Debug, Clone, Copy)]
struct Kernel {
    reach: f64,
    curve: fn(f64) -> f64,
}

impl Kernel {
    /// The filter's kernel; nearest has none.
    fn of(filter: Filter) -> Option<Self> {
        let (reach, curve): (f64, fn(f64) -> f64) = match filter {
            Filter::Nearest => return None,
            Filter::Box => (0.5, box_curve),
            Filter::Bilinear => (1.0, triangle),
            Filter::Hamming => (1.0, hamming),
            Filter::Bicubic => (2.0, cubic),
            Filter::Lanczos => (3.0, lanczos),
        };
        Some(Self { reach, curve })
    }
}

fn box_curve(x: f64) -> f64 {
    if x > -0.5 && x <= 0.5 { 1.0 } else { 0.0 }
}

fn triangle(x: f64) -> f64 {
    (1.0 - x.abs()).max(0.0)
}

fn hamming(x: f64) -> f64 {
    let x = x.abs();
    if x == 0.0 {
        return 1.0;
    }
    if x >= 1.0 {
        return 0.0;
    }
    let x = x * std::f64::consts::PI;
    x.sin() / x * (0.54 + 0.46 * x.cos())
}

/// Keys' cubic with a = -0.5 (Keys 1981).
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

fn lanczos(x: f64) -> f64 {
    if (-3.0..3.0).contains(&x) { sinc(x) * sinc(x / 3.0) } else { 0.0 }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let x = x * std::f64::consts::PI;
    x.sin() / x
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "image sides are far below 2^52, and truncation is the arithmetic to repeat"
)]
fn taps(input: u32, output: u32, span: Span, kernel: Kernel) -> Vec<Taps> {
    let scale = f64::from(input) / f64::from(output);
    // Shrinking widens the kernel, so that every input pixel counts.
    let widening = scale.max(1.0);
    let reach = kernel.reach * widening;
    (span.first..span.first + span.len)
        .map(|place| {
            let centre = (place as f64 + 0.5) * scale;
            let first = (centre - reach + 0.5).max(0.0) as usize;
            let end = ((centre + reach + 0.5) as usize).min(input as usize);
            let mut weights: Vec<f64> = (first..end)
                .map(|x| (kernel.curve)((x as f64 - centre + 0.5) * (1.0 / widening)))
                .collect();
            let sum: f64 = weights.iter().sum();
            if sum != 0.0 {
                weights.iter_mut().for_each(|weight| *weight /= sum);
            }
            Taps { first, weights: weights.into_iter().map(fixed_point).collect() }
        })
        .collect()
}

#[expect(clippy::cast_possible_truncation, reason = "weights are at most a few units")]
fn fixed_point(weight: f64) -> i32 {
    let scaled = weight * f64::from(1_u32 << PRECISION);
    (if scaled < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i32
}

/// Which pass comes first decides what is rounded in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    Rows,
    Columns,
}

impl First {
    /// Pillow's choice since version 13 (its pull request 9549): the columns
    /// where the height shrinks by more than twice as many pixels as the
    /// width. The exact bound was measured, on 1,345 sizes.
    fn of(image: &RgbImage, resized: Extent) -> Self {
        let lost = |from: u32, to: u32| i64::from(from) - i64::from(to);
        let height = lost(image.height(), resized.height);
        let width = lost(image.width(), resized.width);
        if height > 0 && height > 2 * width { Self::Columns } else { Self::Rows }
    }
}

/// Both passes, each only over what the other needs.
fn convolve(image: &RgbImage, across: &[Taps], down: &[Taps], first: First) -> Vec<u8> {
    if across.is_empty() || down.is_empty() {
        return Vec::new();
    }
    let stride = image.width() as usize * 3;
    let (columns, rows) = (reach(across), reach(down));
    match first {
        First::Rows => {
            let needed = image.as_raw().get(rows.start * stride..rows.end * stride);
            let narrow = along_rows(needed.unwrap_or_default(), stride, across, 0);
            let row_len = across.len() * 3;
            down_columns(&narrow, row_len, 0..row_len, down, rows.start)
        }
        First::Columns => {
            let needed = columns.start * 3..columns.end * 3;
            let low = down_columns(image.as_raw(), stride, needed.clone(), down, 0);
            along_rows(&low, needed.len(), across, columns.start)
        }
    }
}

/// The input that all output pixels together are made from.
fn reach(taps: &[Taps]) -> std::ops::Range<usize> {
    let first = taps.first().map_or(0, |taps| taps.first);
    first..taps.iter().map(Taps::end).max().unwrap_or(first)
}

/// The pixel under each centre, found by adding up steps as Pillow does.
fn nearest(image: &RgbImage, plan: &Plan, columns: Span, rows: Span) -> Vec<u8> {
    let from_column = centres(image.width(), plan.resized.width, columns);
    let from_row = centres(image.height(), plan.resized.height, rows);
    let mut output = Vec::with_capacity(columns.len * rows.len * 3);
    for y in from_row {
        for x in &from_column {
            output.extend(image.get_pixel(*x, y).0);
        }
    }
    output
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a centre lies inside the image"
)]
fn centres(input: u32, output: u32, span: Span) -> Vec<u32> {
    let step = f64::from(input) / f64::from(output);
    let mut at = step * 0.5;
    let mut places = Vec::with_capacity(output as usize);
    for _ in 0..output {
        places.push((at as u32).min(input.saturating_sub(1)));
        at += step;
    }
    places.into_iter().skip(span.first).take(span.len).collect()
}

/// The computed part in its window.
fn placed(inner: Vec<u8>, window: Extent, columns: Span, rows: Span) -> Vec<u8> {
    let (width, height) = (window.width as usize, window.height as usize);
    if columns.len == width && rows.len == height {
        return inner;
    }
    let mut output = vec![0; width * height * 3];
    if columns.len > 0 {
        let target = output.chunks_exact_mut(width * 3).skip(rows.margin);
        for (target, source) in target.zip(inner.chunks_exact(columns.len * 3)) {
            let place = columns.margin * 3..(columns.margin + columns.len) * 3;
            if let Some(target) = target.get_mut(place) {
                target.copy_from_slice(source);
            }
        }
    }
    output
}

#[cfg(test)]
mod tests;
