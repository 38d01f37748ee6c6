//! What an image is and how large, from its first bytes, without decoding it.

use crate::domain::{ErrorCode, ItemError};

/// Limits that hold before any pixel is decoded.
#[derive(Debug, Clone)]
pub struct ImageLimits {
    /// Encoded bytes at most.
    pub max_bytes: u64,
    /// Pixels of a side at most.
    pub max_side: u32,
    /// Pixels at most.
    pub max_pixels: u64,
    /// Longer side over shorter side at most.
    pub max_aspect: u32,
}

impl Default for ImageLimits {
    fn default() -> Self {
        Self {
            max_bytes: 20 * 1024 * 1024,
            max_side: 12_000,
            max_pixels: 50_000_000,
            max_aspect: 100,
        }
    }
}

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

/// The formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageFormat {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// WebP.
    WebP,
    /// GIF, its first frame.
    Gif,
}

impl ImageFormat {
    /// The media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
            Self::Gif => "image/gif",
        }
    }
}

/// Reads an image's header and holds it against the limits.
///
/// # Errors
/// `empty_image`, `unsupported_type`, `truncated`, `undecodable`,
/// `too_large` or `too_many_pixels`.
pub fn probe(bytes: &[u8], limits: &ImageLimits) -> Result<Probed, ItemError> {
    let _ = (bytes, limits);
    Err(ItemError::new(ErrorCode::UnsupportedType, "stub"))
}
