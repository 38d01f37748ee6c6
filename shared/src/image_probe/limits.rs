//! Limits that hold before any pixel is decoded.

use serde::{Deserialize, Serialize};

use crate::domain::{ErrorCode, ItemError};

/// Limits that hold before any pixel is decoded.
#[derive(Debug, Clone, Serialize, Deserialize)]
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

impl ImageLimits {
    /// Holds an encoded size against the limits.
    pub(super) fn check_bytes(&self, bytes: usize) -> Result<(), ItemError> {
        if bytes == 0 {
            return Err(ItemError::new(ErrorCode::EmptyImage, "the image has no bytes"));
        }
        if bytes as u64 > self.max_bytes {
            let detail = format!("{bytes} bytes; at most {} are allowed", self.max_bytes);
            return Err(ItemError::new(ErrorCode::TooLarge, detail));
        }
        Ok(())
    }

    /// Holds a width and height against the limits.
    pub(super) fn check_size(&self, width: u32, height: u32) -> Result<(), ItemError> {
        let too_many = |detail| Err(ItemError::new(ErrorCode::TooManyPixels, detail));
        if width == 0 || height == 0 {
            let detail = "the header gives a side of no pixels";
            return Err(ItemError::new(ErrorCode::Undecodable, detail));
        }
        let (long, short) = (width.max(height), width.min(height));
        if long > self.max_side {
            return too_many(format!(
                "{width}×{height} pixels; a side has at most {}",
                self.max_side
            ));
        }
        if u64::from(width) * u64::from(height) > self.max_pixels {
            return too_many(format!(
                "{width}×{height} pixels; at most {} in all are allowed",
                self.max_pixels
            ));
        }
        if long > short.saturating_mul(self.max_aspect) {
            return too_many(format!(
                "{width}×{height} pixels; the longer side is at most {} times the shorter",
                self.max_aspect
            ));
        }
        Ok(())
    }
}
