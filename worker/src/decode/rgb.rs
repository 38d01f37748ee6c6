//! Every colour form as 8-bit RGB, by Pillow's arithmetic where Pillow has one.

use aisle_shared::domain::{ErrorCode, ItemError};
use image::{DynamicImage, RgbImage};

/// What shows through transparent pixels.
const BACKGROUND: u32 = 255;

/// An image of packed RGB values.
pub(super) fn image(width: u32, height: u32, data: Vec<u8>) -> Result<RgbImage, ItemError> {
    RgbImage::from_raw(width, height, data)
        .ok_or_else(|| ItemError::new(ErrorCode::Undecodable, "the image has too few pixels"))
}

/// A side as image headers count it.
pub(super) fn side(length: usize) -> Result<u32, ItemError> {
    u32::try_from(length)
        .map_err(|_| ItemError::new(ErrorCode::TooManyPixels, "a side is too long"))
}

/// Inks as Adobe's programs store them, upside down, to RGB.
pub(super) fn from_inverted_cmyk(inks: &[u8]) -> Vec<u8> {
    let (pixels, _) = inks.as_chunks::<4>();
    // Upside down, an ink's value is the light that it lets through.
    pixels.iter().flat_map(|&[c, m, y, k]| [c, m, y].map(|light| through(light, k))).collect()
}

/// `k - (255 - light) * k / 255`, rounded and clipped as Pillow does.
fn through(light: u8, k: u8) -> u8 {
    k.saturating_sub(times(255 - light, k))
}

/// `a * b / 255`, rounded.
fn times(a: u8, b: u8) -> u8 {
    let product = u32::from(a) * u32::from(b) + 128;
    byte(((product >> 8) + product) >> 8)
}

/// Any decoded image to RGB: gray repeated, 16 bits cut to their upper 8,
/// transparency laid on white.
pub(super) fn from_dynamic(image: DynamicImage) -> RgbImage {
    let (width, height) = (image.width(), image.height());
    let data = match image {
        DynamicImage::ImageRgb8(pixels) => return pixels,
        DynamicImage::ImageLuma16(wide) => {
            wide.into_raw().into_iter().flat_map(|v| [upper(v); 3]).collect()
        }
        DynamicImage::ImageRgb16(wide) => wide.into_raw().into_iter().map(upper).collect(),
        DynamicImage::ImageLumaA16(wide) => {
            let (pixels, _) = wide.as_raw().as_chunks::<2>();
            pixels.iter().flat_map(|&[v, a]| [over(upper(v), upper(a)); 3]).collect()
        }
        DynamicImage::ImageRgba16(wide) => {
            let (pixels, _) = wide.as_raw().as_chunks::<4>();
            pixels.iter().flat_map(|&[rgb @ .., a]| rgb.map(|v| over(upper(v), upper(a)))).collect()
        }
        DynamicImage::ImageLumaA8(_)
        | DynamicImage::ImageRgba8(_)
        | DynamicImage::ImageRgba32F(_) => {
            let rgba = image.into_rgba8();
            let (pixels, _) = rgba.as_raw().as_chunks::<4>();
            pixels.iter().flat_map(|&[rgb @ .., a]| rgb.map(|v| over(v, a))).collect()
        }
        DynamicImage::ImageLuma8(_) | DynamicImage::ImageRgb32F(_) | _ => {
            return image.into_rgb8();
        }
    };
    RgbImage::from_raw(width, height, data).unwrap_or_default()
}

/// A value laid on the background.
fn over(value: u8, alpha: u8) -> u8 {
    let alpha = u32::from(alpha);
    byte((u32::from(value) * alpha + BACKGROUND * (255 - alpha) + 127) / 255)
}

fn upper(wide: u16) -> u8 {
    byte(u32::from(wide >> 8))
}

fn byte(value: u32) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inks_become_light_as_in_pillow() {
        // Pillow 13: Image.frombytes("CMYK", (4, 1), …, "raw", "CMYK;I").convert("RGB")
        let inks = [255, 255, 255, 255, 0, 128, 255, 200, 10, 20, 30, 40, 255, 0, 0, 0];
        let light = [255, 255, 255, 0, 100, 200, 2, 3, 5, 0, 0, 0];
        assert_eq!(from_inverted_cmyk(&inks), light);
    }

    #[test]
    fn transparency_is_laid_on_white() {
        assert_eq!(over(0, 0), 255);
        assert_eq!(over(10, 255), 10);
        assert_eq!(over(0, 128), 127);
    }
}
