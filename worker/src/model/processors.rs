//! What each image processor class does where `preprocessor_config.json`
//! leaves a key out: the defaults of the class of that name in `transformers`.
//! A class that is not here is refused, because guessing would cost accuracy
//! in silence.

use super::error::KeyProblem;
use super::size::{Extent, Filter, PlainNumber, ResizeTo};

const HALF: [f64; 3] = [0.5; 3];
const IMAGENET_MEAN: [f64; 3] = [0.485, 0.456, 0.406];
const IMAGENET_STD: [f64; 3] = [0.229, 0.224, 0.225];
const CLIP_MEAN: [f64; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const CLIP_STD: [f64; 3] = [0.268_629_54, 0.261_302_58, 0.275_777_11];

/// The share of the resized image that a crop keeps, in ConvNeXt.
const CONVNEXT_CROP_PCT: f64 = 224.0 / 256.0;

/// What a class makes of the size it is given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum SizeRule {
    /// Resizes to it.
    AsGiven,
    /// Below 384 pixels resizes the shorter side to `int(size / crop_pct)`
    /// and crops; from 384 on squashes.
    ConvNext,
    /// Resizes the shorter side to `int(size / crop_pct)`.
    PoolFormer,
    /// Resizes the shorter side to `int(256 / 224 * size)`.
    Levit,
}

/// A class's defaults.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Defaults {
    pub(super) size: ResizeTo,
    pub(super) plain_number: PlainNumber,
    pub(super) rule: SizeRule,
    pub(super) crop_pct: Option<f64>,
    pub(super) filter: Filter,
    pub(super) crop: Option<Extent>,
    pub(super) crop_size: Extent,
    pub(super) normalize: bool,
    pub(super) mean: [f64; 3],
    pub(super) std: [f64; 3],
    pub(super) flip_channels: bool,
    pub(super) normalize_twice: bool,
}

/// The defaults of a class, by its name with or without `ImageProcessor`,
/// `ImageProcessorFast` or the older `FeatureExtractor`.
pub(super) fn defaults(class: &str) -> Result<Defaults, KeyProblem> {
    let family = ["ImageProcessorFast", "ImageProcessor", "FeatureExtractor"]
        .iter()
        .find_map(|suffix| class.strip_suffix(suffix))
        .unwrap_or(class);
    let square = |side| ResizeTo::Exact(Extent::square(side));
    let found = match family {
        "ViT" => resized(square(224), Filter::Bilinear),
        "Siglip" => resized(square(224), Filter::Bicubic),
        "Segformer" => Defaults {
            mean: IMAGENET_MEAN,
            std: IMAGENET_STD,
            ..resized(square(512), Filter::Bilinear)
        },
        "DeiT" | "Beit" => cropped(square(256), Filter::Bicubic, 224),
        "CLIP" | "Bit" => Defaults {
            mean: CLIP_MEAN,
            std: CLIP_STD,
            ..cropped(ResizeTo::ShortestEdge(224), Filter::Bicubic, 224)
        },
        "ConvNext" => Defaults {
            rule: SizeRule::ConvNext,
            crop_pct: Some(CONVNEXT_CROP_PCT),
            plain_number: PlainNumber::ShortestEdge,
            ..resized(ResizeTo::ShortestEdge(384), Filter::Bilinear)
        },
        "EfficientNet" => Defaults {
            normalize_twice: true,
            crop_size: Extent::square(289),
            ..resized(square(346), Filter::Nearest)
        },
        "MobileNetV1" | "MobileNetV2" => {
            cropped(ResizeTo::ShortestEdge(256), Filter::Bilinear, 224)
        }
        "MobileViT" => Defaults {
            normalize: false,
            flip_channels: true,
            ..cropped(ResizeTo::ShortestEdge(224), Filter::Bilinear, 256)
        },
        "Levit" => Defaults {
            rule: SizeRule::Levit,
            mean: IMAGENET_MEAN,
            std: IMAGENET_STD,
            ..cropped(ResizeTo::ShortestEdge(224), Filter::Bicubic, 224)
        },
        "PoolFormer" => Defaults {
            rule: SizeRule::PoolFormer,
            crop_pct: Some(0.9),
            mean: IMAGENET_MEAN,
            std: IMAGENET_STD,
            ..cropped(ResizeTo::ShortestEdge(224), Filter::Bicubic, 224)
        },
        _ => {
            return Err(KeyProblem::new(
                "image_processor_type",
                format!("{class:?} is not an image processor that aisle knows"),
            ));
        }
    };
    Ok(found)
}

/// A class that resizes, does not crop, and scales to -1..1.
const fn resized(size: ResizeTo, filter: Filter) -> Defaults {
    Defaults {
        size,
        plain_number: PlainNumber::Square,
        rule: SizeRule::AsGiven,
        crop_pct: None,
        filter,
        crop: None,
        crop_size: Extent::square(224),
        normalize: true,
        mean: HALF,
        std: HALF,
        flip_channels: false,
        normalize_twice: false,
    }
}

/// A class that resizes, crops the centre, and scales to -1..1.
const fn cropped(size: ResizeTo, filter: Filter, crop: u32) -> Defaults {
    let plain_number = match size {
        ResizeTo::ShortestEdge(_) => PlainNumber::ShortestEdge,
        ResizeTo::Exact(_)
        | ResizeTo::ShortestEdgeUpTo { .. }
        | ResizeTo::LongestEdge(_)
        | ResizeTo::Within(_) => PlainNumber::Square,
    };
    Defaults {
        plain_number,
        crop: Some(Extent::square(crop)),
        crop_size: Extent::square(crop),
        ..resized(size, filter)
    }
}

impl SizeRule {
    /// What to resize to, and the crop that the rule itself asks for.
    pub(super) fn apply(
        self,
        size: ResizeTo,
        crop_pct: Option<f64>,
    ) -> Result<(ResizeTo, Option<Extent>), KeyProblem> {
        match (self, size) {
            (Self::AsGiven, _) => Ok((size, None)),
            (Self::ConvNext, ResizeTo::ShortestEdge(edge)) if edge >= 384 => {
                Ok((ResizeTo::Exact(Extent::square(edge)), None))
            }
            (Self::ConvNext, ResizeTo::ShortestEdge(edge)) => {
                let resized = enlarged(edge, crop_pct.unwrap_or(CONVNEXT_CROP_PCT))?;
                Ok((ResizeTo::ShortestEdge(resized), Some(Extent::square(edge))))
            }
            (Self::PoolFormer, ResizeTo::ShortestEdge(edge)) => match crop_pct {
                Some(share) => Ok((ResizeTo::ShortestEdge(enlarged(edge, share)?), None)),
                None => Ok((size, None)),
            },
            (Self::PoolFormer, ResizeTo::Exact(exact)) => match crop_pct {
                Some(share) if exact.height == exact.width => {
                    Ok((ResizeTo::ShortestEdge(enlarged(exact.height, share)?), None))
                }
                Some(share) => {
                    let height = enlarged(exact.height, share)?;
                    let width = enlarged(exact.width, share)?;
                    Ok((ResizeTo::Exact(Extent { height, width }), None))
                }
                None => Ok((size, None)),
            },
            (Self::Levit, ResizeTo::ShortestEdge(edge)) => {
                let resized = super::size::floor(256.0 / 224.0 * f64::from(edge));
                Ok((ResizeTo::ShortestEdge(resized), None))
            }
            (Self::Levit, ResizeTo::Exact(_)) => Ok((size, None)),
            (
                Self::ConvNext | Self::PoolFormer | Self::Levit,
                ResizeTo::Exact(_)
                | ResizeTo::ShortestEdgeUpTo { .. }
                | ResizeTo::LongestEdge(_)
                | ResizeTo::Within(_),
            ) => Err(KeyProblem::new("size", "is not of a form that this image processor reads")),
        }
    }
}

/// `int(edge / share)`.
fn enlarged(edge: u32, share: f64) -> Result<u32, KeyProblem> {
    if share > 0.0 && share <= 1.0 {
        Ok(super::size::floor(f64::from(edge) / share))
    } else {
        Err(KeyProblem::new("crop_pct", "must be above 0 and at most 1"))
    }
}
