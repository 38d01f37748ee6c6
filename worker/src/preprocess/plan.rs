//! Where the pixels that the network sees come from: the resized size, and
//! the window that the crop cuts out of it.

use image::RgbImage;

use super::Framing;
use crate::model::{CropRounding, Extent, Filter};

/// What to compute for one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    /// The size that the whole image would be resized to.
    pub(super) resized: Extent,
    /// By which filter.
    pub(super) filter: Filter,
    /// The window's first row in the resized image; negative where the
    /// window is larger.
    pub(super) top: i64,
    /// The window's first column.
    pub(super) left: i64,
    /// The window's size.
    pub(super) window: Extent,
}

impl Plan {
    pub(super) fn new(steps: &Framing, image: &RgbImage) -> Self {
        let size = Extent { height: image.height(), width: image.width() };
        let (resized, filter) = match steps.resize {
            Some(resize) => (resize.to.apply(size), resize.filter),
            None => (size, Filter::Nearest),
        };
        let (window, rounding) = match steps.crop {
            Some(crop) => (crop.size, crop.rounding),
            None => (resized, CropRounding::Down),
        };
        Self {
            resized,
            filter,
            top: half(i64::from(resized.height) - i64::from(window.height), rounding),
            left: half(i64::from(resized.width) - i64::from(window.width), rounding),
            window,
        }
    }
}

/// Half a margin.
const fn half(margin: i64, rounding: CropRounding) -> i64 {
    let down = margin.div_euclid(2);
    match rounding {
        CropRounding::Down => down,
        // An odd margin lies between `down` and the next: the even one of them.
        CropRounding::HalfToEven => down + (margin.rem_euclid(2) & down.rem_euclid(2)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_margin_is_rounded_down_even_below_zero() {
        assert_eq!(half(117, CropRounding::Down), 58);
        assert_eq!(half(-1, CropRounding::Down), -1);
        assert_eq!(half(-4, CropRounding::Down), -2);
    }

    #[test]
    fn torchvision_rounds_half_a_margin_to_even() {
        // Python: round(117 / 2) = 58, round(119 / 2) = 60, round(118 / 2) = 59
        assert_eq!(half(117, CropRounding::HalfToEven), 58);
        assert_eq!(half(119, CropRounding::HalfToEven), 60);
        assert_eq!(half(118, CropRounding::HalfToEven), 59);
    }
}
