//! From an image of any size to the window of pixels that the network sees.

use image::RgbImage;
use serde::{Deserialize, Serialize};

use super::plan::Plan;
use super::resample;
use crate::model::{Crop, Extent, Preprocessing, Resize};

/// How an image becomes the pixels that the network sees: resized, then its
/// centre cut out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Framing {
    /// Resizing, if any.
    pub resize: Option<Resize>,
    /// Cutting out the centre, if any.
    pub crop: Option<Crop>,
    /// The size that every image has afterwards.
    pub output: Extent,
}

impl Framing {
    /// The part of a model's preprocessing that works on pixels.
    #[must_use]
    pub const fn of(steps: &Preprocessing) -> Self {
        Self { resize: steps.resize, crop: steps.crop, output: steps.output }
    }

    /// Height and width of what comes out.
    #[must_use]
    pub const fn output_size(&self) -> [u32; 2] {
        [self.output.height, self.output.width]
    }

    /// Bytes of what comes out.
    #[must_use]
    pub const fn pixels_len(&self) -> usize {
        3 * self.output.height as usize * self.output.width as usize
    }

    /// The pixels that the network sees: rows of packed RGB.
    #[must_use]
    pub fn pixels(&self, image: &RgbImage) -> Vec<u8> {
        resample::run(image, &Plan::new(self, image))
    }
}
