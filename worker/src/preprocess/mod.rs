//! From RGB pixels to the network's input, to the pixel as the model was
//! trained: resized by Pillow's arithmetic, centre cut out, values looked up.

mod plan;
mod resample;
mod values;

use image::RgbImage;

use crate::model::Preprocessing;
use plan::Plan;
use values::ValueTables;

/// A model's preprocessing, ready to run on any number of images.
#[derive(Debug)]
pub struct Preprocessor {
    steps: Preprocessing,
    tables: ValueTables,
}

impl Preprocessor {
    /// Prepares the steps that a model folder describes.
    #[must_use]
    pub fn new(steps: Preprocessing) -> Self {
        let tables = ValueTables::new(&steps);
        Self { steps, tables }
    }

    /// Height and width of what comes out.
    #[must_use]
    pub const fn output_size(&self) -> [u32; 2] {
        [self.steps.output.height, self.steps.output.width]
    }

    /// Values of one image in a tensor.
    #[must_use]
    pub fn tensor_len(&self) -> usize {
        let [height, width] = self.output_size();
        3 * height as usize * width as usize
    }

    /// One image's tensor: channels, then rows, then columns.
    #[must_use]
    pub fn run(&self, image: &RgbImage) -> Vec<f32> {
        self.tables.tensor(&self.pixels(image))
    }

    /// The pixels before they become values.
    fn pixels(&self, image: &RgbImage) -> Vec<u8> {
        let plan = Plan::new(&self.steps, image);
        resample::run(image, &plan)
    }
}
