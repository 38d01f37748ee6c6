//! Sizes in `preprocessor_config.json`: the forms they are written in, and
//! the rules that turn an image's size into its resized one. The rules are
//! those of the `transformers` image processors, rounding included.

use serde::{Deserialize, Serialize};

use super::error::KeyProblem;

/// Pixels of a side at most, of what a network takes and of what images are
/// resized to before they are cropped. Far above any classifier, and low
/// enough that a tensor of it can be had.
const MAX_SIDE: u32 = 4_096;

/// Height and width in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// Pixels from top to bottom.
    pub height: u32,
    /// Pixels from left to right.
    pub width: u32,
}

impl Extent {
    /// As high as wide.
    #[must_use]
    pub const fn square(side: u32) -> Self {
        Self { height: side, width: side }
    }

    /// Itself, if a network can take so much.
    pub(super) fn bounded(self, key: &'static str) -> Result<Self, KeyProblem> {
        if self.sides().1 > MAX_SIDE { Err(too_large(key)) } else { Ok(self) }
    }

    const fn sides(self) -> (u32, u32) {
        if self.width <= self.height {
            (self.width, self.height)
        } else {
            (self.height, self.width)
        }
    }

    const fn with_sides(self, short: u32, long: u32) -> Self {
        if self.width <= self.height {
            Self { height: long, width: short }
        } else {
            Self { height: short, width: long }
        }
    }
}

/// How pixels are resampled; each as Pillow's filter of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Filter {
    /// The pixel under the centre, without antialiasing.
    Nearest,
    /// Windowed sinc of three lobes.
    Lanczos,
    /// Triangle.
    Bilinear,
    /// Cubic with a = -0.5.
    Bicubic,
    /// Average of the pixels covered.
    Box,
    /// Hamming-windowed sinc of one lobe.
    Hamming,
}

impl TryFrom<u8> for Filter {
    type Error = String;

    /// Pillow's number of the filter.
    fn try_from(number: u8) -> Result<Self, String> {
        match number {
            0 => Ok(Self::Nearest),
            1 => Ok(Self::Lanczos),
            2 => Ok(Self::Bilinear),
            3 => Ok(Self::Bicubic),
            4 => Ok(Self::Box),
            5 => Ok(Self::Hamming),
            other => Err(format!("{other} is no Pillow resampling filter")),
        }
    }
}

impl From<Filter> for u8 {
    fn from(filter: Filter) -> Self {
        match filter {
            Filter::Nearest => 0,
            Filter::Lanczos => 1,
            Filter::Bilinear => 2,
            Filter::Bicubic => 3,
            Filter::Box => 4,
            Filter::Hamming => 5,
        }
    }
}

/// How an image's size becomes its resized one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResizeTo {
    /// That size, whatever the ratio was.
    Exact(Extent),
    /// The shorter side to that many pixels, keeping the ratio.
    ShortestEdge(u32),
    /// The same, but the longer side no longer than `longest`.
    ShortestEdgeUpTo {
        /// Pixels of the shorter side.
        shortest: u32,
        /// Pixels of the longer side at most.
        longest: u32,
    },
    /// The longer side to that many pixels, keeping the ratio.
    LongestEdge(u32),
    /// As large as fits, keeping the ratio.
    Within(Extent),
}

impl ResizeTo {
    /// The resized size of an image; each side at least one pixel.
    #[must_use]
    pub fn apply(self, image: Extent) -> Extent {
        let (short, long) = image.sides();
        let resized = match self {
            Self::Exact(size) => size,
            Self::ShortestEdge(edge) => image.with_sides(edge, scaled(edge, long, short)),
            Self::ShortestEdgeUpTo { shortest, longest } => {
                let new_long = scaled(shortest, long, short);
                if new_long > longest {
                    image.with_sides(scaled(longest, shortest, new_long), longest)
                } else {
                    image.with_sides(shortest, new_long)
                }
            }
            Self::LongestEdge(edge) => image.with_sides(scaled(edge, short, long), edge),
            Self::Within(most) => {
                let by_height = f64::from(most.height) / f64::from(image.height);
                let by_width = f64::from(most.width) / f64::from(image.width);
                let scale = by_height.min(by_width);
                Extent {
                    height: floor(f64::from(image.height) * scale),
                    width: floor(f64::from(image.width) * scale),
                }
            }
        };
        Extent { height: resized.height.max(1), width: resized.width.max(1) }
    }

    /// Itself, if an image can be resized to so much. Of two bounds the
    /// smaller one holds.
    pub(super) fn bounded(self, key: &'static str) -> Result<Self, KeyProblem> {
        let side = match self {
            Self::Exact(size) => size.sides().1,
            Self::Within(size) => size.sides().0,
            Self::ShortestEdge(edge) | Self::LongestEdge(edge) => edge,
            Self::ShortestEdgeUpTo { shortest, longest } => shortest.min(longest),
        };
        if side > MAX_SIDE { Err(too_large(key)) } else { Ok(self) }
    }

    /// The resized size where it is the same for every image.
    #[must_use]
    pub const fn fixed(self) -> Option<Extent> {
        match self {
            Self::Exact(size) => Some(size),
            Self::ShortestEdge(_)
            | Self::ShortestEdgeUpTo { .. }
            | Self::LongestEdge(_)
            | Self::Within(_) => None,
        }
    }
}

fn too_large(key: &'static str) -> KeyProblem {
    KeyProblem::new(key, format!("asks for a side of more than {MAX_SIDE} pixels"))
}

/// `int(edge * times / by)`, as Python computes it.
fn scaled(edge: u32, times: u32, by: u32) -> u32 {
    floor(f64::from(edge) * f64::from(times) / f64::from(by.max(1)))
}

/// Rounds a size towards zero, as `int` does.
pub(super) fn floor(size: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, and a size is never negative"
    )]
    let whole = size as u32;
    whole
}

/// A size as it may be written.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum RawSize {
    Side(u32),
    HeightWidth([u32; 2]),
    Keys(SizeKeys),
}

/// A size written with keys.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SizeKeys {
    height: Option<u32>,
    width: Option<u32>,
    shortest_edge: Option<u32>,
    longest_edge: Option<u32>,
    max_height: Option<u32>,
    max_width: Option<u32>,
}

/// What a plain number means, which differs between processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlainNumber {
    Square,
    ShortestEdge,
}

impl RawSize {
    pub(super) fn resize_to(&self, plain: PlainNumber) -> Result<ResizeTo, KeyProblem> {
        let to = match self {
            Self::Side(side) => match plain {
                PlainNumber::Square => ResizeTo::Exact(Extent::square(*side)),
                PlainNumber::ShortestEdge => ResizeTo::ShortestEdge(*side),
            },
            Self::HeightWidth([height, width]) => {
                ResizeTo::Exact(Extent { height: *height, width: *width })
            }
            Self::Keys(keys) => keys.resize_to()?,
        };
        let smallest = match to {
            ResizeTo::Exact(size) | ResizeTo::Within(size) => size.height.min(size.width),
            ResizeTo::ShortestEdge(edge) | ResizeTo::LongestEdge(edge) => edge,
            ResizeTo::ShortestEdgeUpTo { shortest, longest } => shortest.min(longest),
        };
        if smallest == 0 {
            return Err(KeyProblem::new("size", "must not be 0"));
        }
        Ok(to)
    }

    /// The size of a crop, which is always exact.
    pub(super) fn extent(&self, key: &'static str) -> Result<Extent, KeyProblem> {
        match self.resize_to(PlainNumber::Square) {
            Ok(ResizeTo::Exact(size)) => Ok(size),
            Ok(
                ResizeTo::ShortestEdge(_)
                | ResizeTo::ShortestEdgeUpTo { .. }
                | ResizeTo::LongestEdge(_)
                | ResizeTo::Within(_),
            ) => Err(KeyProblem::new(key, "needs height and width")),
            Err(KeyProblem { problem, .. }) => Err(KeyProblem { key, problem }),
        }
    }
}

impl SizeKeys {
    fn resize_to(&self) -> Result<ResizeTo, KeyProblem> {
        let Self { height, width, shortest_edge, longest_edge, max_height, max_width } = *self;
        match (height, width, shortest_edge, longest_edge, max_height, max_width) {
            (Some(height), Some(width), None, None, None, None) => {
                Ok(ResizeTo::Exact(Extent { height, width }))
            }
            (None, None, Some(edge), None, None, None) => Ok(ResizeTo::ShortestEdge(edge)),
            (None, None, Some(shortest), Some(longest), None, None) => {
                Ok(ResizeTo::ShortestEdgeUpTo { shortest, longest })
            }
            (None, None, None, Some(edge), None, None) => Ok(ResizeTo::LongestEdge(edge)),
            (None, None, None, None, Some(height), Some(width)) => {
                Ok(ResizeTo::Within(Extent { height, width }))
            }
            _ => Err(KeyProblem::new(
                "size",
                "needs height and width, shortest_edge (with longest_edge or not), \
                 longest_edge, or max_height and max_width",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHOTO: Extent = Extent { height: 533, width: 400 };

    fn size(json: &str) -> Result<ResizeTo, KeyProblem> {
        serde_json::from_str::<RawSize>(json).unwrap().resize_to(PlainNumber::Square)
    }

    #[test]
    fn the_shorter_side_decides_and_the_longer_is_rounded_down() {
        let to = ResizeTo::ShortestEdge(256);
        assert_eq!(to.apply(PHOTO), Extent { height: 341, width: 256 });
        let wide = Extent { height: 400, width: 533 };
        assert_eq!(to.apply(wide), Extent { height: 256, width: 341 });
    }

    #[test]
    fn the_longer_side_can_be_capped() {
        let to = ResizeTo::ShortestEdgeUpTo { shortest: 256, longest: 300 };
        assert_eq!(to.apply(PHOTO), Extent { height: 300, width: 225 });
        let to = ResizeTo::ShortestEdgeUpTo { shortest: 256, longest: 400 };
        assert_eq!(to.apply(PHOTO), Extent { height: 341, width: 256 });
    }

    #[test]
    fn the_longer_side_can_decide() {
        assert_eq!(ResizeTo::LongestEdge(533).apply(PHOTO), PHOTO);
        assert_eq!(ResizeTo::LongestEdge(100).apply(PHOTO), Extent { height: 100, width: 75 });
    }

    #[test]
    fn an_image_can_be_fitted_into_a_frame() {
        let to = ResizeTo::Within(Extent { height: 100, width: 200 });
        assert_eq!(to.apply(PHOTO), Extent { height: 100, width: 75 });
    }

    #[test]
    fn a_hairline_keeps_one_pixel() {
        let hairline = Extent { height: 1000, width: 1 };
        assert_eq!(ResizeTo::LongestEdge(100).apply(hairline), Extent { height: 100, width: 1 });
    }

    #[test]
    fn every_written_form_is_read() {
        assert_eq!(size("224"), Ok(ResizeTo::Exact(Extent::square(224))));
        assert_eq!(size("[2, 3]"), Ok(ResizeTo::Exact(Extent { height: 2, width: 3 })));
        assert_eq!(size(r#"{"shortest_edge": 9}"#), Ok(ResizeTo::ShortestEdge(9)));
        assert_eq!(size(r#"{"longest_edge": 9}"#), Ok(ResizeTo::LongestEdge(9)));
        assert_eq!(
            size(r#"{"max_height": 2, "max_width": 3}"#),
            Ok(ResizeTo::Within(Extent { height: 2, width: 3 }))
        );
    }

    #[test]
    fn a_size_without_meaning_is_an_error() {
        assert!(size("0").is_err());
        assert!(size(r#"{"height": 2}"#).is_err());
        assert!(size(r#"{"height": 2, "shortest_edge": 3}"#).is_err());
    }
}
