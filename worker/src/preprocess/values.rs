//! From bytes to the network's values. A byte has 256 values, so rescaling
//! and normalising are a table for each channel, filled with the arithmetic
//! of `transformers`: the product in double precision, the rest in single.

use crate::model::{ChannelOrder, Preprocessing};

/// The value of each byte in each channel of the output.
#[derive(Debug)]
pub(super) struct ValueTables {
    channels: [Channel; 3],
}

#[derive(Debug)]
struct Channel {
    /// Which byte of a pixel it is made from.
    source: usize,
    values: [f32; 256],
}

impl ValueTables {
    pub(super) fn new(steps: &Preprocessing) -> Self {
        Self {
            channels: std::array::from_fn(|channel| Channel {
                source: match steps.order {
                    ChannelOrder::Rgb => channel,
                    ChannelOrder::Bgr => 2 - channel,
                },
                values: std::array::from_fn(|byte| value(steps, channel, byte)),
            }),
        }
    }

    /// Packed RGB to channels, rows, columns.
    pub(super) fn tensor(&self, pixels: &[u8]) -> Vec<f32> {
        let (pixels, _) = pixels.as_chunks::<3>();
        let mut tensor = Vec::with_capacity(pixels.len() * 3);
        for Channel { source, values } in &self.channels {
            // A byte is below 256, so the default is never taken.
            let value = |byte: u8| values.get(usize::from(byte)).copied().unwrap_or_default();
            match source {
                0 => tensor.extend(pixels.iter().map(|&[r, _, _]| value(r))),
                1 => tensor.extend(pixels.iter().map(|&[_, g, _]| value(g))),
                _ => tensor.extend(pixels.iter().map(|&[_, _, b]| value(b))),
            }
        }
        tensor
    }
}

/// Channels are flipped after normalising, so the mean is that of the
/// channel as it comes in.
fn value(steps: &Preprocessing, channel: usize, byte: usize) -> f32 {
    let source = match steps.order {
        ChannelOrder::Rgb => channel,
        ChannelOrder::Bgr => 2 - channel,
    };
    let byte = f64::from(u8::try_from(byte).unwrap_or(u8::MAX));
    let mut value = match steps.rescale {
        Some(rescale) => single(byte * rescale.factor) - f32::from(u8::from(rescale.minus_one)),
        None => single(byte),
    };
    if let Some(normalize) = &steps.normalize {
        let pick = |values: [f64; 3]| single(values.get(source).copied().unwrap_or(0.0));
        value = (value - pick(normalize.mean)) / pick(normalize.std);
        if steps.normalize_twice {
            value /= pick(normalize.std);
        }
    }
    value
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to single precision is the point")]
const fn single(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Extent, Normalize, Rescale};

    fn steps() -> Preprocessing {
        Preprocessing {
            resize: None,
            crop: None,
            output: Extent::square(1),
            rescale: Some(Rescale { factor: 1.0 / 255.0, minus_one: false }),
            normalize: Some(Normalize { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }),
            normalize_twice: false,
            order: ChannelOrder::Rgb,
        }
    }

    fn tensor(steps: &Preprocessing, pixels: &[u8]) -> Vec<f32> {
        ValueTables::new(steps).tensor(pixels)
    }

    #[test]
    fn values_are_those_of_the_reference_to_the_bit() {
        // numpy: ((x * (1 / 255)).astype("f4") - mean.astype("f4")) / std.astype("f4")
        let expected = [0xC0078BBD, 0xBE91ED5A, 0x4028F5C3];
        let values = tensor(&steps(), &[0, 100, 255]);
        assert_eq!(values.iter().map(|v| v.to_bits()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn channels_come_first() {
        let plain = Preprocessing { rescale: None, normalize: None, ..steps() };
        assert_eq!(tensor(&plain, &[1, 2, 3, 4, 5, 6]), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    }

    #[test]
    fn flipping_reverses_the_channels() {
        let flipped =
            Preprocessing { rescale: None, normalize: None, order: ChannelOrder::Bgr, ..steps() };
        assert_eq!(tensor(&flipped, &[1, 2, 3]), [3.0, 2.0, 1.0]);
    }

    #[test]
    fn an_offset_moves_values_to_both_sides_of_zero() {
        let rescale = Some(Rescale { factor: 1.0 / 127.5, minus_one: true });
        let both = Preprocessing { rescale, normalize: None, ..steps() };
        assert_eq!(tensor(&both, &[0, 255, 0]), [-1.0, 1.0, -1.0]);
    }

    #[test]
    fn dividing_twice_divides_by_the_square() {
        let normalize = Some(Normalize { mean: [0.0; 3], std: [0.5; 3] });
        let twice = Preprocessing { rescale: None, normalize, normalize_twice: true, ..steps() };
        assert_eq!(tensor(&twice, &[1, 2, 3]), [4.0, 8.0, 12.0]);
    }
}
