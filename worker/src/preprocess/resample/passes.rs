//! The two passes of a resize. Sums of whole numbers are the same in any order,
//! so the passes may add up as many values at a time as the processor can.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::{PRECISION, Taps};

/// Half of a byte's unit, so that cutting off rounds.
pub(super) const HALF: i32 = 1 << (PRECISION - 1);

/// Bytes of a row that are summed up together: their sums stay in registers.
const TOGETHER: usize = 32;

/// The pass along rows of `stride` bytes, whose first pixel is number `start`
/// of the image.
pub(super) fn along_rows(bytes: &[u8], stride: usize, across: &[Taps], start: usize) -> Vec<u8> {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        return super::wide::along_rows(simd, bytes, stride, across, start);
    }
    pixel_by_pixel(bytes, stride, across, start)
}

/// The same for any processor.
pub(super) fn pixel_by_pixel(
    bytes: &[u8],
    stride: usize,
    across: &[Taps],
    start: usize,
) -> Vec<u8> {
    let rows = bytes.chunks_exact(stride);
    let mut output = Vec::with_capacity(across.len() * 3 * rows.len());
    for row in rows {
        let (pixels, _) = row.as_chunks::<3>();
        for taps in across {
            let mut sums = [HALF; 3];
            let pixels = pixels.get(taps.first - start..).unwrap_or_default();
            for (&[r, g, b], weight) in pixels.iter().zip(&taps.weights) {
                sums[0] += i32::from(r) * weight;
                sums[1] += i32::from(g) * weight;
                sums[2] += i32::from(b) * weight;
            }
            output.extend(sums.map(byte));
        }
    }
    output
}

/// The pass down those bytes of each row of `stride` bytes; the first row is
/// number `start` of the image.
pub(super) fn down_columns(
    bytes: &[u8],
    stride: usize,
    columns: Range<usize>,
    down: &[Taps],
    start: usize,
) -> Vec<u8> {
    Arch::new().dispatch(Down { bytes, stride, columns, down, start })
}

/// The pass down columns, compiled for each kind of processor.
struct Down<'a> {
    bytes: &'a [u8],
    stride: usize,
    columns: Range<usize>,
    down: &'a [Taps],
    start: usize,
}

impl WithSimd for Down<'_> {
    type Output = Vec<u8>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Vec<u8> {
        let Self { bytes, stride, columns, down, start } = self;
        let mut output = vec![0; columns.len() * down.len()];
        for (taps, output) in down.iter().zip(output.chunks_exact_mut(columns.len())) {
            let rows = bytes.get((taps.first - start) * stride..).unwrap_or_default();
            let rows = rows.chunks_exact(stride).zip(&taps.weights);
            let (blocks, rest) = output.as_chunks_mut::<TOGETHER>();
            let mut at = columns.start;
            for block in blocks {
                let mut sums = [HALF; TOGETHER];
                for (row, weight) in rows.clone() {
                    let values = row.get(at..).and_then(<[u8]>::first_chunk::<TOGETHER>);
                    let Some(values) = values else { continue };
                    for (sum, value) in sums.iter_mut().zip(values) {
                        *sum += i32::from(*value) * weight;
                    }
                }
                *block = sums.map(byte);
                at += TOGETHER;
            }
            for (at, output) in (at..).zip(rest) {
                let values = rows.clone().filter_map(|(row, weight)| Some((row.get(at)?, weight)));
                *output = byte(
                    values.fold(HALF, |sum, (value, weight)| sum + i32::from(*value) * weight),
                );
            }
        }
        output
    }
}

/// A sum in fixed point to a byte.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
const fn byte(sum: i32) -> u8 {
    let whole = sum >> PRECISION;
    if whole < 0 {
        0
    } else if whole > 255 {
        255
    } else {
        whole as u8
    }
}
