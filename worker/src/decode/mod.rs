//! From encoded bytes to upright RGB pixels, under limits.
//!
//! What must never happen: memory past an image's allowance, a panic that
//! leaves this module, pixels that differ from what the networks were
//! trained on. JPEG goes through a decoder that repeats libjpeg-turbo bit
//! for bit, because a network's answer moves by several percent when its
//! decoder rounds otherwise.

mod jpeg;
mod rgb;
mod still;

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use aisle_shared::domain::{ErrorCode, ImageInfo, ItemError};
use aisle_shared::image_probe::{ImageFormat, ImageLimits, Probed, probe};
use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};

/// Bytes that a decoder may take at most, whatever the size of the image.
const MAX_ALLOWANCE: u64 = 256 << 20;

/// The same for JPEG and WebP, whose decoders hold several copies at once.
const MAX_WIDE_ALLOWANCE: u64 = 640 << 20;

/// A decoded image: upright, 8 bits for each of red, green and blue.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// The pixels.
    pub pixels: RgbImage,
    /// What was found out about the image.
    pub info: ImageInfo,
}

/// Decodes an image.
///
/// # Errors
/// Those of [`probe`], `truncated` and `undecodable`.
pub fn decode(bytes: &[u8], limits: &ImageLimits) -> Result<Decoded, ItemError> {
    let probed = probe(bytes, limits)?;
    let decoded = catch_unwind(AssertUnwindSafe(|| decode_as(probed, bytes)));
    let (pixels, orientation) = decoded.unwrap_or_else(|_| {
        Err(ItemError::new(ErrorCode::Undecodable, "the decoder gave up on this image"))
    })?;
    let pixels = upright(pixels, orientation);
    let info = ImageInfo {
        media_type: Cow::Borrowed(probed.format.media_type()),
        width: pixels.width(),
        height: pixels.height(),
        bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
    };
    Ok(Decoded { pixels, info })
}

fn decode_as(probed: Probed, bytes: &[u8]) -> Result<(RgbImage, Orientation), ItemError> {
    match probed.format {
        ImageFormat::Jpeg => jpeg::decode(bytes, allowance(probed)),
        ImageFormat::Png => still::png(bytes, allowance(probed)),
        ImageFormat::WebP => still::webp(bytes, allowance(probed)),
        ImageFormat::Gif => still::gif(bytes, probed, allowance(probed)),
    }
}

/// Bytes that decoding this image may take in all: the decoder's allowance and
/// a copy of the pixels as RGB.
pub(crate) fn need(probed: Probed) -> u64 {
    allowance(probed) + 3 * u64::from(probed.width) * u64::from(probed.height)
}

/// Bytes that a decoder may take for this image: so many for each pixel and
/// some room for tables.
fn allowance(probed: Probed) -> u64 {
    let (each, most) = match probed.format {
        // Progressive: every coefficient, every plane and the pixels at once.
        ImageFormat::Jpeg => (13, MAX_WIDE_ALLOWANCE),
        // An animation: the frame, the canvas and the pixels, each with its transparency.
        ImageFormat::WebP => (12, MAX_WIDE_ALLOWANCE),
        ImageFormat::Png | ImageFormat::Gif => (8, MAX_ALLOWANCE),
    };
    let pixels = u64::from(probed.width) * u64::from(probed.height);
    (each * pixels + (32 << 20)).min(most)
}

fn upright(pixels: RgbImage, orientation: Orientation) -> RgbImage {
    if orientation == Orientation::NoTransforms {
        return pixels;
    }
    let mut image = DynamicImage::ImageRgb8(pixels);
    image.apply_orientation(orientation);
    image.into_rgb8()
}

#[cfg(test)]
mod tests;
