//! Changing pictures before they are learned from: another scene behind the
//! product; a part cut out, turned, mirrored and enlarged in one go; then its
//! colours; then less light, out of focus and with grain, as cameras take
//! pictures; then a rectangle painted over (Zhong et al. 2020, "Random Erasing
//! Data Augmentation").

mod clutter;
mod larger;

use std::ops::Deref;

use image::{ImageBuffer, Rgb, RgbImage};
use rand::Rng as _;
use rand::rngs::StdRng;

use crate::retouch::{blurred, byte, colour_at, dim, grain};
use crate::road::tuning::Augment;

pub use larger::larger;

/// Widths of a cut-out by its height.
const RATIOS: (f32, f32) = (3.0 / 4.0, 4.0 / 3.0);
/// Shares of a picture that a rectangle covers.
const ERASED: (f32, f32) = (0.02, 0.2);
/// Shares of the light that remain, spread evenly by their logarithm.
const LIGHT: (f32, f32) = (0.03, 0.5);
/// Deviations of a blur, as shares of the shorter side.
const BLUR: (f32, f32) = (0.003, 0.02);
/// Deviations of grain, as shares of white.
const GRAIN: (f32, f32) = (0.02, 0.2);
/// Tries to find a cut-out that fits.
const TRIES: usize = 10;

/// Changes pictures of one size into pictures of another.
#[derive(Debug, Clone, Copy)]
pub struct Augmenter {
    /// How much.
    pub rules: Augment,
    /// Height and width of what comes in.
    pub from: [u32; 2],
    /// Height and width of what goes out.
    pub to: [u32; 2],
}

impl Augmenter {
    /// All that a view depends on besides chance, in a line.
    #[must_use]
    pub fn described(&self) -> String {
        format!("{self:?} {RATIOS:?} {ERASED:?} {LIGHT:?} {BLUR:?} {GRAIN:?}")
    }

    /// Whether a view needs another picture to cut a scene from.
    #[must_use]
    pub fn wants_scene(&self, random: &mut StdRng) -> bool {
        happens(self.rules.clutter, random)
    }

    /// A changed picture, in a scene cut from `other` if there is one and the
    /// product stands on white; all are rows of packed RGB.
    #[must_use]
    pub fn view(&self, pixels: &[u8], other: Option<&[u8]>, random: &mut StdRng) -> Vec<u8> {
        let [height, width] = self.from;
        // Fewer pixels than that are no picture.
        let picture = |pixels| ImageBuffer::from_raw(width, height, pixels).unwrap_or_default();
        let scene = other.and_then(|other| clutter::lay(&picture(pixels), &picture(other), random));
        let mut view = match scene {
            Some(scene) => self.sample(&scene, random),
            None => self.sample(&picture(pixels), random),
        };
        self.colour(&mut view, random);
        if happens(self.rules.dim, random) {
            dim(&mut view, between(LIGHT, random));
        }
        if happens(self.rules.blur, random) {
            view = blurred(&view, between(BLUR, random));
        }
        if happens(self.rules.grain, random) {
            grain(&mut view, between(GRAIN, random), random);
        }
        if happens(self.rules.erase, random) {
            self.erase(&mut view, random);
        }
        view.into_raw()
    }

    /// Height and width of a cut-out, as shares of what comes in.
    fn cut(&self, random: &mut StdRng) -> [f32; 2] {
        for _ in 0..TRIES {
            let area = single(random.random_range(self.rules.crop.min(1.0)..=1.0));
            let (low, high) = (RATIOS.0.ln(), RATIOS.1.ln());
            let ratio = random.random_range(low..=high).exp().sqrt();
            let [height, width] = [area.sqrt() / ratio, area.sqrt() * ratio];
            if height <= 1.0 && width <= 1.0 {
                return [height, width];
            }
        }
        [1.0, 1.0]
    }

    fn sample<C: Deref<Target = [u8]>>(
        &self,
        picture: &ImageBuffer<Rgb<u8>, C>,
        random: &mut StdRng,
    ) -> RgbImage {
        let [from_height, from_width] = [picture.height(), picture.width()].map(float);
        let [to_height, to_width] = self.to.map(float);
        let [height, width] = self.cut(random);
        let (height, width) = (height * from_height, width * from_width);
        let middle = |whole: f32, part: f32, random: &mut StdRng| {
            part / 2.0 + random.random_range(0.0..=1.0) * (whole - part)
        };
        let middle_y = middle(from_height, height, random);
        let middle_x = middle(from_width, width, random);
        let angle = single(self.rules.rotation * random.random_range(-1.0..=1.0)).to_radians();
        let mirrored = self.rules.flip && random.random_bool(0.5);
        let (sin, cos) = angle.sin_cos();
        let [rows, columns] = self.to;
        RgbImage::from_fn(columns, rows, |column, row| {
            let down = ((float(row) + 0.5) / to_height - 0.5) * height;
            let across = ((float(column) + 0.5) / to_width - 0.5) * width;
            let across = if mirrored { -across } else { across };
            let x = middle_x + across * cos - down * sin - 0.5;
            let y = middle_y + down * cos + across * sin - 0.5;
            colour_at(picture, x, y)
        })
    }

    /// Brightness, contrast about the mean grey, saturation about the pixel's
    /// own grey.
    fn colour(&self, view: &mut RgbImage, random: &mut StdRng) {
        let most = self.rules.colour;
        let mut factor = || single(1.0 + most * random.random_range(-1.0..=1.0));
        let [brightness, contrast, saturation] = [factor(), factor(), factor()];
        let sum: f64 = view.pixels().map(|pixel| f64::from(grey(*pixel))).sum();
        let mean = single(sum / f64::from(self.to.iter().product::<u32>().max(1)));
        for pixel in view.pixels_mut() {
            let own = grey(*pixel);
            for channel in &mut pixel.0 {
                let saturated = own + (f32::from(*channel) - own) * saturation;
                *channel = byte((mean + (saturated - mean) * contrast) * brightness);
            }
        }
    }

    fn erase(&self, view: &mut RgbImage, random: &mut StdRng) {
        let [height, width] = self.to;
        let share = between(ERASED, random);
        let ratio = random.random_range(-1.0_f32..=1.0).exp().sqrt();
        let tall = part(height, share.sqrt() * ratio);
        let broad = part(width, share.sqrt() / ratio);
        let top = random.random_range(0..=height - tall);
        let left = random.random_range(0..=width - broad);
        let colour = RgbImage::from_pixel(broad, tall, Rgb(random.random()));
        image::imageops::replace(view, &colour, left.into(), top.into());
    }
}

/// Whether something happens that does with a share of pictures.
fn happens(share: f64, random: &mut StdRng) -> bool {
    share > 0.0 && random.random_bool(share.min(1.0))
}

/// Between two numbers above 0, spread evenly by their logarithm.
fn between((low, high): (f32, f32), random: &mut StdRng) -> f32 {
    random.random_range(low.ln()..=high.ln()).exp()
}

/// ITU-R BT.601.
fn grey(pixel: Rgb<u8>) -> f32 {
    let [red, green, blue] = pixel.0.map(f32::from);
    0.299 * red + 0.587 * green + 0.114 * blue
}

#[expect(clippy::cast_precision_loss, reason = "sides of pictures are far below 2^24")]
const fn float(side: u32) -> f32 {
    side as f32
}

#[expect(clippy::cast_possible_truncation, reason = "a picture's places need no more")]
const fn single(value: f64) -> f32 {
    value as f32
}

/// A share of a side, in whole pixels.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a number is no larger, and not below 0"
)]
fn part(side: u32, share: f32) -> u32 {
    (float(side) * share.min(1.0)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::generator;

    const STILL: Augment = Augment {
        crop: 1.0,
        flip: false,
        rotation: 0.0,
        colour: 0.0,
        erase: 0.0,
        ..Augment::LEARNING
    };

    fn gradient(height: usize, width: usize) -> Vec<u8> {
        let channel = |place: usize| u8::try_from(place % 251).unwrap();
        (0..3 * height * width).map(channel).collect()
    }

    fn augmenter(rules: Augment, from: u32, to: u32) -> Augmenter {
        Augmenter { rules, from: [from; 2], to: [to; 2] }
    }

    #[test]
    fn a_picture_that_nothing_changes_is_itself() {
        let pixels = gradient(20, 20);
        // A cut-out of the whole area has to be square to fit.
        let still = augmenter(STILL, 20, 20);
        assert_eq!(still.view(&pixels, None, &mut generator(0, "view", [0, 0])), pixels);
    }

    #[test]
    fn a_mirrored_row_is_reversed() {
        let pixels: Vec<u8> = (0..4 * 4).flat_map(|place| [place % 4 * 10; 3]).collect();
        let flip = augmenter(Augment { flip: true, ..STILL }, 4, 4);
        let views: Vec<Vec<u8>> = (0..20)
            .map(|nth| flip.view(&pixels, None, &mut generator(0, "view", [nth, 0])))
            .collect();
        let reversed: Vec<u8> = pixels.chunks(3).rev().flatten().copied().collect();
        assert!(views.contains(&pixels) && views.contains(&reversed));
        assert!(views.iter().all(|view| *view == pixels || *view == reversed));
    }

    #[test]
    fn the_same_chance_makes_the_same_view_and_another_another() {
        let pixels = gradient(40, 40);
        let all = augmenter(Augment::default(), 40, 32);
        let view = |nth| all.view(&pixels, None, &mut generator(7, "view", [nth, 3]));
        assert_eq!(view(0), view(0));
        assert_ne!(view(0), view(1));
        assert_eq!(view(0).len(), 3 * 32 * 32);
    }

    #[test]
    fn erasing_paints_one_rectangle_of_one_colour() {
        let pixels = vec![100; 3 * 30 * 30];
        let erase = augmenter(Augment { erase: 1.0, ..STILL }, 30, 30);
        let view = erase.view(&pixels, None, &mut generator(1, "view", [0, 0]));
        let painted: Vec<&[u8]> = view.chunks(3).filter(|pixel| **pixel != [100; 3]).collect();
        assert!(painted.len() > 9 && painted.len() < 30 * 30 / 3, "{}", painted.len());
        assert!(painted.windows(2).all(|two| two[0] == two[1]));
    }

    /// The mean of a picture's values, and their mean distance from it.
    fn mean_and_spread(pixels: &[u8]) -> (f64, f64) {
        let mean =
            |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / pixels.len() as f64;
        let middle = mean(&mut pixels.iter().map(|value| f64::from(*value)));
        (middle, mean(&mut pixels.iter().map(|value| (f64::from(*value) - middle).abs())))
    }

    #[test]
    fn less_light_is_darker_a_blur_is_flatter_and_grain_is_rougher() {
        let stripes: Vec<u8> =
            (0..200 * 200).flat_map(|nth| [if nth % 2 == 0 { 90 } else { 160 }; 3]).collect();
        let of = |rules, nth| {
            mean_and_spread(&augmenter(rules, 200, 200).view(
                &stripes,
                None,
                &mut generator(nth, "view", [0, 0]),
            ))
        };
        let (light, rough) = mean_and_spread(&stripes);
        for nth in 0..20 {
            assert!(of(Augment { dim: 1.0, ..STILL }, nth).0 < 0.8 * light);
            let (mean, spread) = of(Augment { blur: 1.0, ..STILL }, nth);
            assert!((mean - light).abs() < 2.0 && spread < rough);
            let (mean, spread) = of(Augment { grain: 1.0, ..STILL }, nth);
            assert!((mean - light).abs() < 5.0 && spread > rough - 1.0, "{spread} after {rough}");
        }
    }
}
