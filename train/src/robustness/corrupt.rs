//! Making a picture worse. What is drawn by chance follows from the seed.

use std::io::Cursor;

use aisle_shared::image_probe::ImageLimits;
use aisle_worker::decode::decode;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{Corruption, Severity};
use crate::retouch::{blurred, colour_at, dim, grain};

/// What lies before a product.
const GREY: Rgb<u8> = Rgb([128, 128, 128]);

/// A picture made worse; `other` is a picture of another product. `None` when
/// it cannot be: JPEG has no sides beyond 65,535 pixels.
pub(super) fn corrupt(
    picture: &RgbImage,
    other: &RgbImage,
    (corruption, severity): (Corruption, Severity),
    seed: u64,
) -> Option<RgbImage> {
    let mut chance = StdRng::seed_from_u64(seed);
    Some(match corruption {
        Corruption::Blur => blurred(picture, severity.of([0.005, 0.01, 0.02])),
        Corruption::Noise => noise(picture, severity.of([0.05, 0.1, 0.2]), &mut chance),
        Corruption::LowLight => low_light(picture, severity.of([0.3, 0.1, 0.03])),
        Corruption::Rotation => {
            let clockwise = chance.random_bool(0.5);
            let degrees = severity.of([10.0, 25.0, 90.0]);
            rotated(picture, if clockwise { degrees } else { -degrees })
        }
        Corruption::Jpeg => jpeg(picture, severity.of([30, 15, 5]))?,
        Corruption::Occlusion => hidden(picture, severity.of([0.1, 0.25, 0.4]), &mut chance),
        Corruption::SecondProduct => {
            beside(picture, other, severity.of([0.35, 0.5, 0.65]), &mut chance)
        }
    })
}

fn noise(picture: &RgbImage, share: f32, chance: &mut StdRng) -> RgbImage {
    let mut noisy = picture.clone();
    grain(&mut noisy, share, chance);
    noisy
}

fn low_light(picture: &RgbImage, share: f32) -> RgbImage {
    let mut dark = picture.clone();
    dim(&mut dark, share);
    dark
}

/// Turned about its centre in a frame of the same size; what comes in from
/// outside repeats the edge.
#[expect(clippy::cast_precision_loss, reason = "sides are far below 2^24")]
fn rotated(picture: &RgbImage, degrees: f32) -> RgbImage {
    if degrees.abs() >= 90.0 {
        return if degrees > 0.0 {
            imageops::rotate90(picture)
        } else {
            imageops::rotate270(picture)
        };
    }
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (width, height) = picture.dimensions();
    let (middle_x, middle_y) = ((width as f32 - 1.0) / 2.0, (height as f32 - 1.0) / 2.0);
    RgbImage::from_fn(width, height, |x, y| {
        let (x, y) = (x as f32 - middle_x, y as f32 - middle_y);
        colour_at(picture, cos * x + sin * y + middle_x, cos * y - sin * x + middle_y)
    })
}

/// Written as JPEG, and read as the worker reads it.
fn jpeg(picture: &RgbImage, quality: u8) -> Option<RgbImage> {
    let mut bytes = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(picture).ok()?;
    let decoded = decode(bytes.get_ref(), &ImageLimits::default()).ok()?;
    Some(decoded.pixels)
}

/// A grey rectangle of the picture's shape somewhere before it.
fn hidden(picture: &RgbImage, share: f64, chance: &mut StdRng) -> RgbImage {
    let (width, height) = picture.dimensions();
    let [wide, high] = [width, height].map(|side| scaled(side, share.sqrt()));
    let left = chance.random_range(0..=width - wide);
    let top = chance.random_range(0..=height - high);
    let mut picture = picture.clone();
    let cover = RgbImage::from_pixel(wide, high, GREY);
    imageops::replace(&mut picture, &cover, left.into(), top.into());
    picture
}

/// Another product in one of the corners.
fn beside(picture: &RgbImage, other: &RgbImage, share: f64, chance: &mut StdRng) -> RgbImage {
    let (width, height) = picture.dimensions();
    let [wide, high] = [width, height].map(|side| scaled(side, share));
    let other = imageops::resize(other, wide, high, FilterType::Triangle);
    let left = if chance.random_bool(0.5) { 0 } else { width - wide };
    let top = if chance.random_bool(0.5) { 0 } else { height - high };
    let mut picture = picture.clone();
    imageops::replace(&mut picture, &other, left.into(), top.into());
    picture
}

/// A share of a side, in pixels: at least one, at most all.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a number is no larger"
)]
fn scaled(side: u32, share: f64) -> u32 {
    ((f64::from(side) * share).round() as u32).clamp(1, side)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Red at the left, blue at the right, upright.
    fn two_halves() -> RgbImage {
        RgbImage::from_fn(120, 180, |x, _| if x < 60 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) })
    }

    fn corrupted(corruption: Corruption, severity: Severity) -> RgbImage {
        let other = RgbImage::from_pixel(30, 30, Rgb([0, 255, 0]));
        corrupt(&two_halves(), &other, (corruption, severity), 7).unwrap()
    }

    /// The mean distance of a value from what it was.
    fn distance(one: &RgbImage, other: &RgbImage) -> f64 {
        let sum: u64 = one.iter().zip(other.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        sum as f64 / one.len() as f64
    }

    #[test]
    fn every_corruption_changes_more_the_more_severe_it_is() {
        let plain = two_halves();
        for corruption in Corruption::ALL {
            if corruption == Corruption::Rotation {
                continue;
            }
            let far =
                Severity::ALL.map(|severity| distance(&plain, &corrupted(corruption, severity)));
            assert!(0.0 < far[0] && far[0] < far[2], "{corruption:?}: {far:?}");
        }
    }

    #[test]
    fn the_same_seed_corrupts_alike_and_another_otherwise() {
        let (plain, other) = (two_halves(), RgbImage::new(9, 9));
        let noisy = |seed| corrupt(&plain, &other, (Corruption::Noise, Severity::Mild), seed);
        assert_eq!(noisy(1), noisy(1));
        assert_ne!(noisy(1), noisy(2));
    }

    #[test]
    fn a_picture_turns_about_its_centre_and_keeps_its_frame() {
        let turned = rotated(&two_halves(), 10.0);
        assert_eq!(turned.dimensions(), (120, 180));
        // The border between the halves leans to the right at the top.
        let border = |y| (0..120).find(|x| turned.get_pixel(*x, y)[0] == 0).unwrap();
        assert!(border(5) > 70 && border(175) < 50, "{} {}", border(5), border(175));
        let side = corrupted(Corruption::Rotation, Severity::Severe);
        assert_eq!(side.dimensions(), (180, 120));
    }

    #[test]
    fn what_is_hidden_has_the_share_it_should() {
        let hidden = corrupted(Corruption::Occlusion, Severity::Middling);
        let grey = hidden.pixels().filter(|pixel| **pixel == GREY).count();
        assert_eq!(grey, 60 * 90);
    }

    #[test]
    fn the_second_product_stands_in_a_corner() {
        let both = corrupted(Corruption::SecondProduct, Severity::Middling);
        let green = |x, y| *both.get_pixel(x, y) == Rgb([0, 255, 0]);
        let corners = [green(0, 0), green(119, 0), green(0, 179), green(119, 179)];
        assert_eq!(corners.iter().filter(|is_green| **is_green).count(), 1);
        assert_eq!(both.pixels().filter(|pixel| pixel[1] == 255).count(), 60 * 90);
    }
}
