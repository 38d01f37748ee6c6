//! `preprocessor_config.json`: what is done to an image before the network
//! sees it. The order is fixed: convert to RGB, resize, crop the centre,
//! rescale, normalise, channels first.

use serde::{Deserialize, Serialize};

use super::error::KeyProblem;
use super::processors::{Defaults, defaults};
use super::size::{Extent, Filter, RawSize, ResizeTo};

/// What is done to an image, in the order of the fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessing {
    /// Resizing, if any.
    pub resize: Option<Resize>,
    /// Cutting out the centre, if any.
    pub crop: Option<Crop>,
    /// The size that every image has afterwards.
    pub output: Extent,
    /// Multiplying every value, if so.
    pub rescale: Option<Rescale>,
    /// Subtracting a mean and dividing by a deviation, if so.
    pub normalize: Option<Normalize>,
    /// Dividing by the deviation once more, as EfficientNets with their
    /// classifier want it.
    pub normalize_twice: bool,
    /// The order of the channels.
    pub order: ChannelOrder,
}

/// Resizing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resize {
    /// To what size.
    pub to: ResizeTo,
    /// By which filter.
    pub filter: Filter,
}

/// Cutting out the centre; black where the image is smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crop {
    /// The size that is left.
    pub size: Extent,
    /// Where the centre is when the margin is odd.
    pub rounding: CropRounding,
}

/// How half a pixel of margin is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CropRounding {
    /// Down, as `transformers` does.
    Down,
    /// To the even neighbour, as torchvision does.
    HalfToEven,
}

/// Multiplying every value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rescale {
    /// The factor.
    pub factor: f64,
    /// Whether 1 is subtracted afterwards.
    pub minus_one: bool,
}

/// Mean and standard deviation of each channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalize {
    /// Subtracted.
    pub mean: [f64; 3],
    /// Divided by; never 0.
    pub std: [f64; 3],
}

/// The order of the channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelOrder {
    /// Red first.
    Rgb,
    /// Blue first.
    Bgr,
}

/// `preprocessor_config.json` as far as it is read.
#[derive(Debug, Deserialize)]
pub(super) struct RawPreprocessor {
    image_processor_type: Option<String>,
    feature_extractor_type: Option<String>,
    do_resize: Option<bool>,
    size: Option<RawSize>,
    resample: Option<Filter>,
    do_center_crop: Option<bool>,
    crop_size: Option<RawSize>,
    crop_pct: Option<f64>,
    do_rescale: Option<bool>,
    rescale_factor: Option<f64>,
    rescale_offset: Option<bool>,
    do_normalize: Option<bool>,
    image_mean: Option<Channels>,
    image_std: Option<Channels>,
    do_flip_channel_order: Option<bool>,
    include_top: Option<bool>,
    do_pad: Option<bool>,
}

/// One value for all channels or one for each.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Channels {
    All(f64),
    Each([f64; 3]),
}

impl Channels {
    const fn each(self) -> [f64; 3] {
        match self {
            Self::All(value) => [value; 3],
            Self::Each(values) => values,
        }
    }
}

impl RawPreprocessor {
    /// The keys that are read.
    pub(super) const KEYS: [&str; 17] = [
        "image_processor_type",
        "feature_extractor_type",
        "do_resize",
        "size",
        "resample",
        "do_center_crop",
        "crop_size",
        "crop_pct",
        "do_rescale",
        "rescale_factor",
        "rescale_offset",
        "do_normalize",
        "image_mean",
        "image_std",
        "do_flip_channel_order",
        "include_top",
        "do_pad",
    ];

    pub(super) fn class(&self) -> Result<&str, KeyProblem> {
        self.image_processor_type
            .as_deref()
            .or(self.feature_extractor_type.as_deref())
            .ok_or_else(|| KeyProblem::new("image_processor_type", "is missing"))
    }

    pub(super) fn preprocessing(&self) -> Result<Preprocessing, KeyProblem> {
        let class = defaults(self.class()?)?;
        if self.do_pad == Some(true) {
            return Err(KeyProblem::new("do_pad", "padding is not supported"));
        }
        let (resize, rule_crop) = self.resize(&class)?;
        let crop = match rule_crop {
            Some(size) => Some(size),
            None => self.crop(&class)?,
        };
        let crop = crop.map(|size| Crop { size, rounding: CropRounding::Down });
        let output = match (crop, resize) {
            (Some(crop), _) => crop.size,
            (None, Some(resize)) => resize.to.fixed().ok_or_else(|| {
                KeyProblem::new("size", "leaves images of different sizes without do_center_crop")
            })?,
            (None, None) => {
                return Err(KeyProblem::new("do_resize", "images would keep different sizes"));
            }
        };
        let output = output.bounded(if crop.is_some() { "crop_size" } else { "size" })?;
        let normalize = self.normalize(&class)?;
        Ok(Preprocessing {
            resize,
            crop,
            output,
            rescale: self.rescale()?,
            normalize_twice: normalize.is_some()
                && self.include_top.unwrap_or(true)
                && class.normalize_twice,
            normalize,
            order: if self.do_flip_channel_order.unwrap_or(class.flip_channels) {
                ChannelOrder::Bgr
            } else {
                ChannelOrder::Rgb
            },
        })
    }

    fn resize(&self, class: &Defaults) -> Result<(Option<Resize>, Option<Extent>), KeyProblem> {
        if self.do_resize == Some(false) {
            return Ok((None, None));
        }
        let size = match &self.size {
            Some(size) => size.resize_to(class.plain_number)?,
            None => class.size,
        };
        let (to, crop) = class.rule.apply(size, self.crop_pct.or(class.crop_pct))?;
        let filter = self.resample.unwrap_or(class.filter);
        Ok((Some(Resize { to: to.bounded("size")?, filter }), crop))
    }

    fn crop(&self, class: &Defaults) -> Result<Option<Extent>, KeyProblem> {
        if !self.do_center_crop.unwrap_or(class.crop.is_some()) {
            return Ok(None);
        }
        match &self.crop_size {
            Some(size) => size.extent("crop_size").map(Some),
            None => Ok(Some(class.crop_size)),
        }
    }

    fn rescale(&self) -> Result<Option<Rescale>, KeyProblem> {
        if self.do_rescale == Some(false) {
            return Ok(None);
        }
        let factor = self.rescale_factor.unwrap_or(1.0 / 255.0);
        if !factor.is_finite() || factor == 0.0 {
            return Err(KeyProblem::new("rescale_factor", "must be a number other than 0"));
        }
        Ok(Some(Rescale { factor, minus_one: self.rescale_offset.unwrap_or(false) }))
    }

    fn normalize(&self, class: &Defaults) -> Result<Option<Normalize>, KeyProblem> {
        if !self.do_normalize.unwrap_or(class.normalize) {
            return Ok(None);
        }
        let mean = self.image_mean.map_or(class.mean, Channels::each);
        let std = divisor(self.image_std.map_or(class.std, Channels::each))?;
        Ok(Some(Normalize { mean, std }))
    }
}

/// A deviation that can be divided by.
pub(super) fn divisor(std: [f64; 3]) -> Result<[f64; 3], KeyProblem> {
    if std.iter().all(|value| value.is_finite() && *value > 0.0) {
        Ok(std)
    } else {
        Err(KeyProblem::new("image_std", "must be above 0"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Preprocessing, KeyProblem> {
        serde_json::from_str::<RawPreprocessor>(json).unwrap().preprocessing()
    }

    fn resize_of(json: &str) -> ResizeTo {
        read(json).unwrap().resize.unwrap().to
    }

    #[test]
    fn a_vit_without_keys_squashes_to_224_and_scales_to_one() {
        let vit = read(r#"{"image_processor_type":"ViTImageProcessor"}"#).unwrap();
        assert_eq!(vit.resize.unwrap().to, ResizeTo::Exact(Extent::square(224)));
        assert_eq!(vit.resize.unwrap().filter, Filter::Bilinear);
        assert_eq!(vit.crop, None);
        assert_eq!(vit.normalize, Some(Normalize { mean: [0.5; 3], std: [0.5; 3] }));
    }

    #[test]
    fn a_plain_number_means_a_square_to_vit_and_the_shorter_side_to_clip() {
        let vit = resize_of(r#"{"feature_extractor_type":"ViTFeatureExtractor","size":384}"#);
        assert_eq!(vit, ResizeTo::Exact(Extent::square(384)));
        let clip = resize_of(r#"{"feature_extractor_type":"CLIPFeatureExtractor","size":384}"#);
        assert_eq!(clip, ResizeTo::ShortestEdge(384));
        let convnext = resize_of(r#"{"image_processor_type":"ConvNextImageProcessor","size":224}"#);
        assert_eq!(convnext, ResizeTo::ShortestEdge(256));
    }

    #[test]
    fn a_convnext_below_384_enlarges_and_crops_and_from_384_on_squashes() {
        let small = read(
            r#"{"image_processor_type":"ConvNextImageProcessor","size":{"shortest_edge":224},
                "crop_pct":0.95}"#,
        )
        .unwrap();
        assert_eq!(small.resize.unwrap().to, ResizeTo::ShortestEdge(235));
        assert_eq!(small.output, Extent::square(224));
        let large = read(r#"{"image_processor_type":"ConvNextImageProcessor"}"#).unwrap();
        assert_eq!(large.resize.unwrap().to, ResizeTo::Exact(Extent::square(384)));
        assert_eq!(large.crop, None);
    }

    #[test]
    fn an_efficientnet_without_keys_is_nearest_346_and_divides_twice() {
        let net = read(r#"{"image_processor_type":"EfficientNetImageProcessor"}"#).unwrap();
        assert_eq!(net.resize.unwrap().filter, Filter::Nearest);
        assert_eq!(net.output, Extent::square(346));
        assert!(net.normalize_twice);
    }

    #[test]
    fn a_mobilevit_wants_blue_first_and_no_normalising() {
        let net = read(r#"{"image_processor_type":"MobileViTImageProcessor"}"#).unwrap();
        assert_eq!(net.order, ChannelOrder::Bgr);
        assert_eq!(net.normalize, None);
        assert_eq!(net.output, Extent::square(256));
    }

    #[test]
    fn levit_and_poolformer_enlarge_by_their_own_rules() {
        let levit = resize_of(r#"{"image_processor_type":"LevitImageProcessor"}"#);
        assert_eq!(levit, ResizeTo::ShortestEdge(256));
        let pool = resize_of(r#"{"image_processor_type":"PoolFormerImageProcessor"}"#);
        assert_eq!(pool, ResizeTo::ShortestEdge(248));
    }

    #[test]
    fn the_fast_class_of_a_name_has_the_same_defaults() {
        let slow = read(r#"{"image_processor_type":"MobileNetV2ImageProcessor"}"#);
        assert_eq!(read(r#"{"image_processor_type":"MobileNetV2ImageProcessorFast"}"#), slow);
    }

    #[test]
    fn keys_win_over_the_class() {
        let net = read(
            r#"{"image_processor_type":"MobileNetV2ImageProcessor","resample":3,
                "crop_size":192,"rescale_factor":0.5,"rescale_offset":true,
                "image_mean":0.1,"image_std":[1,2,3],"do_flip_channel_order":true}"#,
        )
        .unwrap();
        assert_eq!(net.resize.unwrap().filter, Filter::Bicubic);
        assert_eq!(net.output, Extent::square(192));
        assert_eq!(net.rescale, Some(Rescale { factor: 0.5, minus_one: true }));
        assert_eq!(net.normalize, Some(Normalize { mean: [0.1; 3], std: [1.0, 2.0, 3.0] }));
        assert_eq!(net.order, ChannelOrder::Bgr);
    }

    #[test]
    fn an_unknown_class_is_refused_by_name() {
        let problem = read(r#"{"image_processor_type":"DonutImageProcessor"}"#).unwrap_err();
        assert_eq!(problem.key, "image_processor_type");
        assert!(problem.problem.contains("DonutImageProcessor"));
        assert_eq!(read("{}").unwrap_err().key, "image_processor_type");
    }

    #[test]
    fn images_must_end_up_of_one_size() {
        let vit = r#""image_processor_type":"ViTImageProcessor""#;
        for keys in [r#""size":{"shortest_edge":224}"#, r#""do_resize":false"#] {
            assert!(read(&format!("{{{vit},{keys}}}")).is_err(), "{keys}");
        }
    }

    #[test]
    fn values_that_cannot_be_computed_with_are_refused() {
        let vit = r#""image_processor_type":"ViTImageProcessor""#;
        for (keys, key) in [
            (r#""image_std":0"#, "image_std"),
            (r#""rescale_factor":0"#, "rescale_factor"),
            (r#""do_pad":true"#, "do_pad"),
            (r#""size":0"#, "size"),
            (r#""size":4294967295"#, "size"),
            (r#""size":{"height":8,"width":4097}"#, "size"),
            (r#""do_center_crop":true,"crop_size":5000"#, "crop_size"),
        ] {
            assert_eq!(read(&format!("{{{vit},{keys}}}")).unwrap_err().key, key);
        }
    }
}
