//! timm's `pretrained_cfg`, which stands in `config.json` of its models in
//! place of a `preprocessor_config.json`.
//!
//! The evaluation transform of timm: the image is resized to
//! `floor(input / crop_pct)` and the centre is cut out. `transformers` reads
//! the same keys but prefers their `test_` forms.

use serde::Deserialize;

use super::error::KeyProblem;
use super::preprocessor::{
    ChannelOrder, Crop, CropRounding, Normalize, Preprocessing, Rescale, Resize,
};
use super::size::{Extent, Filter, ResizeTo, floor};

/// `pretrained_cfg` as far as it is read.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct TimmConfig {
    input_size: Option<[u32; 3]>,
    test_input_size: Option<[u32; 3]>,
    interpolation: Option<String>,
    crop_pct: Option<f64>,
    test_crop_pct: Option<f64>,
    crop_mode: Option<String>,
    mean: Option<[f64; 3]>,
    std: Option<[f64; 3]>,
    pub(super) label_names: Option<Vec<String>>,
}

/// Whose reading of the keys holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimmReader {
    /// timm itself: the size trained with.
    Timm,
    /// The wrapper in `transformers`: the size to test with, where there is one.
    Transformers,
}

impl TimmConfig {
    /// The evaluation transform.
    pub(super) fn preprocessing(&self, reader: TimmReader) -> Result<Preprocessing, KeyProblem> {
        let (input, share) = match reader {
            TimmReader::Timm => (self.input_size, self.crop_pct),
            TimmReader::Transformers => {
                (self.test_input_size.or(self.input_size), self.test_crop_pct.or(self.crop_pct))
            }
        };
        let [channels, height, width] =
            input.ok_or_else(|| KeyProblem::new("pretrained_cfg", "has no input_size"))?;
        if channels != 3 || height == 0 || width == 0 {
            return Err(KeyProblem::new("input_size", "must be 3, a height and a width"));
        }
        let share = share.unwrap_or(0.875);
        if !(share > 0.0 && share <= 1.0) {
            return Err(KeyProblem::new("crop_pct", "must be above 0 and at most 1"));
        }
        let crop = Extent { height, width }.bounded("input_size")?;
        let enlarged = Extent {
            height: floor(f64::from(height) / share),
            width: floor(f64::from(width) / share),
        };
        Ok(Preprocessing {
            resize: Some(Resize {
                to: self.resize_to(enlarged)?.bounded("crop_pct")?,
                filter: self.filter()?,
            }),
            crop: Some(Crop { size: crop, rounding: CropRounding::HalfToEven }),
            output: crop,
            rescale: Some(Rescale { factor: 1.0 / 255.0, minus_one: false }),
            normalize: Some(Normalize {
                mean: self.mean.unwrap_or([0.485, 0.456, 0.406]),
                std: super::preprocessor::divisor(self.std.unwrap_or([0.229, 0.224, 0.225]))?,
            }),
            normalize_twice: false,
            order: ChannelOrder::Rgb,
        })
    }

    fn resize_to(&self, enlarged: Extent) -> Result<ResizeTo, KeyProblem> {
        match self.crop_mode.as_deref().unwrap_or("center") {
            "center" if enlarged.height == enlarged.width => {
                Ok(ResizeTo::ShortestEdge(enlarged.height))
            }
            "squash" => Ok(ResizeTo::Exact(enlarged)),
            other => Err(KeyProblem::new(
                "crop_mode",
                format!("{other:?} of {}×{} is not supported", enlarged.width, enlarged.height),
            )),
        }
    }

    fn filter(&self) -> Result<Filter, KeyProblem> {
        match self.interpolation.as_deref().unwrap_or("bilinear") {
            "nearest" => Ok(Filter::Nearest),
            "bilinear" => Ok(Filter::Bilinear),
            "bicubic" => Ok(Filter::Bicubic),
            "lanczos" => Ok(Filter::Lanczos),
            "box" => Ok(Filter::Box),
            "hamming" => Ok(Filter::Hamming),
            other => Err(KeyProblem::new("interpolation", format!("{other:?} is not known"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> TimmConfig {
        serde_json::from_str(json).unwrap()
    }

    const BOTH: &str = r#"{"input_size":[3,224,224],"test_input_size":[3,288,288],
        "interpolation":"bicubic","crop_pct":0.95,"test_crop_pct":1.0}"#;

    #[test]
    fn timm_resizes_to_the_floor_of_size_over_share_and_crops() {
        let read = config(BOTH).preprocessing(TimmReader::Timm).unwrap();
        let resize = read.resize.unwrap();
        assert_eq!(resize, Resize { to: ResizeTo::ShortestEdge(235), filter: Filter::Bicubic });
        assert_eq!(read.output, Extent::square(224));
    }

    #[test]
    fn transformers_prefers_the_test_size() {
        let read = config(BOTH).preprocessing(TimmReader::Transformers).unwrap();
        assert_eq!(read.resize.unwrap().to, ResizeTo::ShortestEdge(288));
        assert_eq!(read.output, Extent::square(288));
    }

    #[test]
    fn what_cannot_be_repeated_to_the_pixel_is_refused() {
        for json in [
            "{}",
            r#"{"input_size":[1,28,28]}"#,
            r#"{"input_size":[3,224,224],"crop_mode":"border"}"#,
            r#"{"input_size":[3,224,224],"interpolation":"random"}"#,
            r#"{"input_size":[3,224,224],"crop_pct":0}"#,
        ] {
            assert!(config(json).preprocessing(TimmReader::Timm).is_err(), "{json}");
        }
    }
}
