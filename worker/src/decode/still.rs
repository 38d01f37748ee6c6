//! PNG, WebP and GIF, of an animation the first frame.

use std::borrow::Cow;
use std::io::Cursor;

use aisle_shared::domain::{ErrorCode, ItemError};
use aisle_shared::image_probe::Probed;
use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::error::ImageError;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, Limits, RgbImage};

use super::rgb;

/// Bytes that a PNG may take for what is not pixels: a colour profile, texts,
/// EXIF; the last may be a thumbnail of some hundred KB.
const MAX_BESIDE_PIXELS: u64 = 16 << 20;

type Pixels = Result<(RgbImage, Orientation), ItemError>;

pub(super) fn png(bytes: &[u8], allowance: u64) -> Pixels {
    let decoder = PngDecoder::with_limits(Cursor::new(bytes), limits(MAX_BESIDE_PIXELS));
    let decoder = decoder.map_err(|error| match error {
        ImageError::Limits(_) => {
            let detail = "the image carries too much beside its pixels";
            ItemError::new(ErrorCode::Undecodable, detail)
        }
        error @ (ImageError::Decoding(_)
        | ImageError::Encoding(_)
        | ImageError::Parameter(_)
        | ImageError::Unsupported(_)
        | ImageError::IoError(_)) => item_error(&error),
    })?;
    finish(decoder, allowance)
}

pub(super) fn webp(bytes: &[u8], allowance: u64) -> Pixels {
    finish(WebPDecoder::new(Cursor::new(bytes)).map_err(|e| item_error(&e))?, allowance)
}

pub(super) fn gif(bytes: &[u8], probed: Probed, allowance: u64) -> Pixels {
    let bytes = with_screen(bytes, probed);
    finish(GifDecoder::new(Cursor::new(&*bytes)).map_err(|e| item_error(&e))?, allowance)
}

/// A GIF with room for its first frame: one that reaches past its screen
/// widens it, as in Pillow and in browsers.
fn with_screen(bytes: &[u8], probed: Probed) -> Cow<'_, [u8]> {
    // After "GIF" and the version: width and height, two bytes each.
    const SCREEN: std::ops::Range<usize> = 6..10;
    let sides = [probed.width, probed.height].map(|side| u16::try_from(side).unwrap_or(u16::MAX));
    let [[w0, w1], [h0, h1]] = sides.map(u16::to_le_bytes);
    let mut bytes = Cow::Borrowed(bytes);
    if bytes.get(SCREEN) != Some(&[w0, w1, h0, h1])
        && let Some(screen) = bytes.to_mut().get_mut(SCREEN)
    {
        screen.copy_from_slice(&[w0, w1, h0, h1]);
    }
    bytes
}

fn finish(mut decoder: impl ImageDecoder, allowance: u64) -> Pixels {
    decoder.set_limits(limits(allowance)).map_err(|e| item_error(&e))?;
    // What is decoded into counts too, and the limits above leave it out.
    if decoder.total_bytes() > allowance {
        let detail = "the image takes more memory than one of its size may";
        return Err(ItemError::new(ErrorCode::TooManyPixels, detail));
    }
    // Orientation is a hint: an image whose hint is broken is shown as stored.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(|e| item_error(&e))?;
    Ok((rgb::from_dynamic(image), orientation))
}

fn limits(allowance: u64) -> Limits {
    let mut limits = Limits::default();
    limits.max_alloc = Some(allowance);
    limits
}

fn item_error(error: &ImageError) -> ItemError {
    let code = match error {
        ImageError::Limits(_) => ErrorCode::TooManyPixels,
        ImageError::IoError(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => {
            ErrorCode::Truncated
        }
        ImageError::Decoding(_)
        | ImageError::Encoding(_)
        | ImageError::Parameter(_)
        | ImageError::Unsupported(_)
        | ImageError::IoError(_) => ErrorCode::Undecodable,
    };
    ItemError::new(code, format!("the image cannot be decoded: {error}"))
}
