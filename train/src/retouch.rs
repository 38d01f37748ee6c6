//! What is done to the pixels of a picture, both where pictures are changed to
//! be learned from (`augment`) and where they are made worse to judge by
//! (`robustness`).

use std::ops::Deref;

use image::imageops;
use image::{ImageBuffer, Rgb, RgbImage};
use rand::rngs::StdRng;
use rand_distr::{Distribution as _, Normal};

/// Below this a Gaussian is followed exactly, above it by boxes, which come
/// close to it where it is wide and cost far less.
const WIDE: f32 = 3.0;

/// The colour at a place, between its four neighbours; the edge goes on
/// beyond itself. Black in a picture without pixels.
#[expect(clippy::cast_precision_loss, reason = "sides are far below 2^24")]
pub(crate) fn colour_at<C: Deref<Target = [u8]>>(
    picture: &ImageBuffer<Rgb<u8>, C>,
    x: f32,
    y: f32,
) -> Rgb<u8> {
    let last = |side: u32| side.saturating_sub(1) as f32;
    let x = x.clamp(0.0, last(picture.width()));
    let y = y.clamp(0.0, last(picture.height()));
    imageops::interpolate_bilinear(picture, x, y).unwrap_or(Rgb([0; 3]))
}

/// Out of focus: a Gaussian blur, its deviation given as a share of the
/// shorter side.
#[expect(clippy::cast_precision_loss, reason = "sides are far below 2^24")]
pub(crate) fn blurred(picture: &RgbImage, share: f32) -> RgbImage {
    let sigma = share * picture.width().min(picture.height()) as f32;
    if sigma < WIDE {
        imageops::blur(picture, sigma.max(0.1))
    } else {
        imageops::fast_blur(picture, sigma)
    }
}

/// Grain: Gaussian noise on each value, its deviation given as a share of
/// white, which is a number not below 0.
pub(crate) fn grain(values: &mut [u8], share: f32, chance: &mut StdRng) {
    let Ok(normal) = Normal::new(0.0, share * 255.0) else { return };
    for value in values {
        *value = byte(f32::from(*value) + normal.sample(chance));
    }
}

/// A share of the light: it is scaled where it adds up, in linear values
/// (IEC 61966-2-1).
pub(crate) fn dim(values: &mut [u8], share: f32) {
    let darker: [u8; 256] = std::array::from_fn(|value| {
        #[expect(clippy::cast_precision_loss, reason = "a byte")]
        let value = value as f32 / 255.0;
        let linear =
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) };
        let dark = linear * share;
        let value =
            if dark <= 0.003_130_8 { 12.92 * dark } else { 1.055 * dark.powf(1.0 / 2.4) - 0.055 };
        byte(value * 255.0)
    });
    for value in values {
        *value = darker.get(usize::from(*value)).copied().unwrap_or_default();
    }
}

/// The nearest byte; what is beyond one becomes its limit.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float is clamped when it becomes a byte"
)]
pub(crate) fn byte(value: f32) -> u8 {
    value.round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_light_is_a_tenth_in_linear_values() {
        let mut white = [255, 255, 255, 0];
        dim(&mut white, 0.1);
        // 0.1 in linear light is 0.3492 in sRGB.
        assert_eq!(white, [89, 89, 89, 0]);
    }

    #[test]
    fn a_colour_between_pixels_is_between_their_colours_and_the_edge_goes_on() {
        let picture = RgbImage::from_fn(2, 1, |x, _| Rgb([if x == 0 { 100 } else { 200 }; 3]));
        let red = |x| colour_at(&picture, x, 0.0)[0];
        assert_eq!([red(-3.0), red(0.0), red(0.5), red(1.0), red(9.0)], [100, 100, 150, 200, 200]);
        assert_eq!(colour_at(&RgbImage::new(0, 0), 0.0, 0.0), Rgb([0; 3]));
    }
}
