//! From RGB pixels to the network's input, to the pixel as the model was
//! trained: resized by Pillow's arithmetic, centre cut out, values looked up.

mod framing;
mod plan;
mod resample;
mod values;

use image::RgbImage;

use crate::model::Preprocessing;
use values::ValueTables;

pub use framing::Framing;

/// A model's preprocessing, ready to run on any number of images. Its first
/// half, the [`Framing`], may run in another process.
#[derive(Debug)]
pub struct Preprocessor {
    framing: Framing,
    tables: ValueTables,
}

impl Preprocessor {
    /// Prepares the steps that a model folder describes.
    #[must_use]
    pub fn new(steps: &Preprocessing) -> Self {
        Self { framing: Framing::of(steps), tables: ValueTables::new(steps) }
    }

    /// From an image to the pixels that become values.
    #[must_use]
    pub const fn framing(&self) -> &Framing {
        &self.framing
    }

    /// Height and width of what comes out.
    #[must_use]
    pub const fn output_size(&self) -> [u32; 2] {
        self.framing.output_size()
    }

    /// Values of one image in a tensor.
    #[must_use]
    pub fn tensor_len(&self) -> usize {
        self.framing.pixels_len()
    }

    /// One image's tensor: channels, then rows, then columns.
    #[must_use]
    pub fn run(&self, image: &RgbImage) -> Vec<f32> {
        self.tensor(&self.framing.pixels(image))
    }

    /// The tensor of framed pixels.
    #[must_use]
    pub fn tensor(&self, pixels: &[u8]) -> Vec<f32> {
        self.tables.tensor(pixels)
    }
}
