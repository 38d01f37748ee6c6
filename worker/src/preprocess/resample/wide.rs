//! The pass along rows for processors with AVX2: of four rows at a time, four
//! neighbouring pixels of each.
//!
//! They multiply 16 bits and add pairs of products (`vpmaddwd`), and a weight
//! has up to 24 bits with its sign. So it is cut into its lower eleven bits and
//! those above, each half has its sum, and the upper one is moved up at the end.
//! Sums may wrap on the way: all is modulo 2^32, where what comes out fits.

use std::arch::x86_64::{__m128i, __m256i};

use pulp::x86::V3;
use pulp::{NullaryFnOnce, cast};

use super::passes::HALF;
use super::{PRECISION, Taps};

/// Rows that are worked on together, and pixels of each.
const FOUR: usize = 4;

/// Bytes of four pixels.
const PIXELS: usize = FOUR * 3;

/// Bytes that are read for four pixels.
const READ: usize = 16;

/// Bits of a weight's lower half.
const LOWER: i32 = 11;

/// Where the bytes of four pixels go: each becomes a number of 16 bits beside
/// the same channel of the pixel after it, two pixels in either half.
const SPREAD: [i8; 32] = {
    const Z: i8 = -1;
    [
        0, Z, 3, Z, 1, Z, 4, Z, 2, Z, 5, Z, Z, Z, Z, Z, //
        6, Z, 9, Z, 7, Z, 10, Z, 8, Z, 11, Z, Z, Z, Z, Z,
    ]
};

/// The weights of four neighbouring pixels, as [`SPREAD`] lays out the pixels.
struct Weights {
    upper: __m256i,
    lower: __m256i,
}

impl Weights {
    #[expect(clippy::cast_possible_truncation, reason = "both halves have less than 16 bits")]
    fn new([a, b, c, d]: [i32; FOUR]) -> Self {
        let laid_out = |part: fn(i32) -> i16| {
            let [ab, cd] = [[a, b], [c, d]].map(|pair| pair.map(part));
            cast([[ab; 4], [cd; 4]])
        };
        let upper = laid_out(|weight| (weight >> LOWER) as i16);
        let lower = laid_out(|weight| (weight & ((1 << LOWER) - 1)) as i16);
        Self { upper, lower }
    }
}

/// What [`super::passes::along_rows`] gives.
pub(super) fn along_rows(
    simd: V3,
    bytes: &[u8],
    stride: usize,
    across: &[Taps],
    start: usize,
) -> Vec<u8> {
    let most = across.iter().map(|taps| taps.weights.len()).max().unwrap_or(0);
    let fours = most.div_ceil(FOUR).max(1);
    let mut places = Vec::with_capacity(across.len());
    let mut weights = Vec::with_capacity(across.len() * fours);
    for taps in across {
        places.push((taps.first - start) * 3);
        let weight = |at: usize| taps.weights.get(at).copied().unwrap_or(0);
        let of_four = |first| Weights::new([0, 1, 2, 3].map(|next| weight(first + next)));
        weights.extend((0..fours).map(|four| of_four(four * FOUR)));
    }

    let rows = bytes.len() / stride;
    let row_len = across.len() * 3;
    let needed = FOUR * stride + fours * PIXELS + (READ - PIXELS);
    let mut output = Vec::with_capacity(row_len * rows.next_multiple_of(FOUR));
    let mut results = vec![0; FOUR * (row_len + 1)];
    let mut last = Vec::new();
    for from in (0..rows).step_by(FOUR).map(|row| row * stride) {
        let bytes = bytes.get(from..from + needed).unwrap_or_else(|| {
            last.clear();
            last.extend_from_slice(bytes.get(from..).unwrap_or_default());
            last.resize(needed, 0);
            &last
        });
        let (places, weights, results) = (&places, &weights, &mut results);
        simd.vectorize(FourRows { simd, bytes, stride, places, weights, fours, results });
        for row in results.chunks_exact(row_len + 1) {
            output.extend_from_slice(row.get(..row_len).unwrap_or_default());
        }
    }
    output.truncate(row_len * rows);
    output
}

/// Four rows of the image, and where their results go: as many rows, each with
/// a byte behind it, because pixels are written as four bytes.
struct FourRows<'a> {
    simd: V3,
    bytes: &'a [u8],
    stride: usize,
    /// The first byte of each output pixel in its row.
    places: &'a [usize],
    /// So many of each output pixel.
    weights: &'a [Weights],
    fours: usize,
    results: &'a mut [u8],
}

impl NullaryFnOnce for FourRows<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, bytes, stride, places, weights, fours, results } = self;
        let rows = [0, 1, 2, 3].map(|row| bytes.get(row * stride..).unwrap_or_default());
        let mut results = results.chunks_exact_mut(places.len() * 3 + 1);
        let mut results = [0, 1, 2, 3].map(|_| results.next().unwrap_or_default());
        let spread: __m256i = cast(SPREAD);
        let half: __m256i = cast([[HALF; 4], [0; 4]]);
        for (at, (first, weights)) in places.iter().zip(weights.chunks_exact(fours)).enumerate() {
            let mut sums = [(cast([0; 8]), half); FOUR];
            for (place, weights) in (*first..).step_by(PIXELS).zip(weights) {
                for (row, (upper, lower)) in rows.iter().zip(&mut sums) {
                    let pixels = row.get(place..).and_then(<[u8]>::first_chunk::<READ>);
                    // There are as many as the longest weights reach over.
                    let Some(pixels) = pixels else { return };
                    let pixels = simd.avx2._mm256_broadcastsi128_si256(cast(*pixels));
                    let pixels = simd.avx2._mm256_shuffle_epi8(pixels, spread);
                    let product = |weights| simd.avx2._mm256_madd_epi16(pixels, weights);
                    *upper = simd.avx2._mm256_add_epi32(*upper, product(weights.upper));
                    *lower = simd.avx2._mm256_add_epi32(*lower, product(weights.lower));
                }
            }
            let pixels = bytes_of(simd, sums);
            for (row, pixel) in results.iter_mut().zip(pixels) {
                if let Some(place) = row.get_mut(at * 3..).and_then(<[u8]>::first_chunk_mut) {
                    *place = pixel;
                }
            }
        }
    }
}

/// Upper and lower sums of each row to a pixel and a byte of nothing.
#[inline(always)]
#[expect(clippy::cast_possible_wrap, reason = "the precision is 22")]
fn bytes_of(simd: V3, sums: [(__m256i, __m256i); FOUR]) -> [[u8; 4]; FOUR] {
    let [a, b, c, d]: [__m128i; FOUR] = sums.map(
        #[inline(always)]
        |(upper, lower)| {
            let upper = simd.avx2._mm256_slli_epi32::<LOWER>(upper);
            let both = simd.avx2._mm256_add_epi32(upper, lower);
            let [left, right]: [__m128i; 2] = cast(both);
            let sum = simd.sse2._mm_add_epi32(left, right);
            simd.sse2._mm_srai_epi32::<{ PRECISION as i32 }>(sum)
        },
    );
    // Both of these steps clamp.
    let [left, right] = [simd.sse2._mm_packs_epi32(a, b), simd.sse2._mm_packs_epi32(c, d)];
    cast(simd.sse2._mm_packus_epi16(left, right))
}
