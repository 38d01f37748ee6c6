//! JPEG, bit for bit as libjpeg-turbo decodes it by default: accurate
//! integer DCT and smooth chroma upsampling.

use aisle_shared::domain::{ErrorCode, ItemError};
use image::RgbImage;
use image::metadata::Orientation;
use libjpeg_turbo_rs::decode::pipeline::Decoder;
use libjpeg_turbo_rs::{DecodeLimits, JpegError, PixelFormat};

use super::rgb;

/// Progressive scans at most: each may touch every pixel again.
const MAX_SCANS: usize = 100;

pub(super) fn decode(bytes: &[u8], allowance: u64) -> Result<(RgbImage, Orientation), ItemError> {
    let limits =
        DecodeLimits { max_memory: Some(allowance), max_scans: MAX_SCANS, ..Default::default() };
    let mut decoder = Decoder::new_with_limits(bytes, limits).map_err(|e| item_error(&e))?;
    decoder.set_stop_on_warning(true);
    let orientation = decoder
        .exif_orientation()
        .and_then(Orientation::from_exif)
        .unwrap_or(Orientation::NoTransforms);
    let ink = decoder.header().components.len() == 4;
    decoder.set_output_format(if ink { PixelFormat::Cmyk } else { PixelFormat::Rgb });
    let image = decoder.decode_image().map_err(|e| item_error(&e))?;
    let data = if ink { rgb::from_inverted_cmyk(&image.data) } else { image.data };
    let (width, height) = (rgb::side(image.width)?, rgb::side(image.height)?);
    Ok((rgb::image(width, height, data)?, orientation))
}

fn item_error(error: &JpegError) -> ItemError {
    let code = match error {
        JpegError::UnexpectedEof => ErrorCode::Truncated,
        // Too many scans, which the decoder counts in several places.
        JpegError::LimitExceeded { what, .. } if what.contains("scan") => ErrorCode::Undecodable,
        JpegError::LimitExceeded { .. } => ErrorCode::TooManyPixels,
        JpegError::InvalidMarker(_)
        | JpegError::UnexpectedMarker(_)
        | JpegError::Unsupported(_)
        | JpegError::CorruptData(_)
        | JpegError::BufferTooSmall { .. }
        | JpegError::Io(_)
        // The enum may grow; whatever else it says, the image cannot be decoded.
        | _ => ErrorCode::Undecodable,
    };
    ItemError::new(code, format!("the JPEG cannot be decoded: {error}"))
}
