//! Type, size and limits, in that order.

use super::reader::Reader;
use super::{ImageFormat, ImageLimits, gif, jpeg, png, webp};
use crate::domain::{ErrorCode, ItemError};

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probed {
    /// The format, by content.
    pub format: ImageFormat,
    /// Width in pixels as stored, before EXIF orientation.
    pub width: u32,
    /// Height in pixels as stored, before EXIF orientation.
    pub height: u32,
}

/// A picture's size, as far as a header tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Size {
    /// What has room for both.
    pub(super) fn covering(self, other: Self) -> Self {
        Self { width: self.width.max(other.width), height: self.height.max(other.height) }
    }
}

/// Why a header cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderError {
    /// It goes on past the last byte.
    Truncated,
    /// It breaks its format.
    Broken(&'static str),
}

impl From<HeaderError> for ItemError {
    fn from(error: HeaderError) -> Self {
        match error {
            HeaderError::Truncated => Self::new(ErrorCode::Truncated, "the image ends too early"),
            HeaderError::Broken(detail) => Self::new(ErrorCode::Undecodable, detail),
        }
    }
}

/// Reads an image's headers and holds them against the limits. Walks over
/// the bytes a few times at most and keeps none of them.
///
/// # Errors
/// `empty_image`, `unsupported_type`, `truncated`, `undecodable`,
/// `too_large` or `too_many_pixels`.
pub fn probe(bytes: &[u8], limits: &ImageLimits) -> Result<Probed, ItemError> {
    limits.check_bytes(bytes.len())?;
    let format = ImageFormat::sniff(bytes).ok_or_else(|| {
        ItemError::new(ErrorCode::UnsupportedType, "not a JPEG, PNG, WebP or GIF image")
    })?;
    let reader = Reader::new(bytes);
    let Size { width, height } = match format {
        ImageFormat::Jpeg => jpeg::size(reader),
        ImageFormat::Png => png::size(reader),
        ImageFormat::WebP => webp::size(reader),
        ImageFormat::Gif => gif::size(reader),
    }?;
    // The size comes first: an image that is too large is so however it ends.
    limits.check_size(width, height)?;
    match format {
        ImageFormat::Png => png::check_end(reader),
        ImageFormat::WebP => webp::check_end(reader),
        // Where they end is known only to who decodes them.
        ImageFormat::Jpeg | ImageFormat::Gif => Ok(()),
    }?;
    Ok(Probed { format, width, height })
}
