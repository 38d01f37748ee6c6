//! Products that stand on plain white, laid into other scenes: a network that
//! only ever sees them on white takes the white for a part of them.

use std::collections::VecDeque;
use std::ops::Deref;

use image::{GrayImage, ImageBuffer, Luma, Pixel as _, Rgb, RgbImage, imageops};
use rand::Rng as _;
use rand::rngs::StdRng;

use super::part;
use crate::retouch::byte;

/// What is at least so bright in each channel may be paper.
const WHITE: u8 = 232;
/// The share of a picture's rim that is white when the product stands free.
const RIM: f32 = 0.7;
/// Shares of a picture that paper covers: with less there is nothing to fill,
/// with more the product itself is white and would vanish.
const PAPER: (f32, f32) = (0.1, 0.92);
/// How much longer a side of the scene is at most, by that of the picture.
const ROOM: f32 = 0.5;
/// The share of another picture's sides that a scene is cut from.
const SCENE: (f32, f32) = (0.2, 0.6);
/// How bright a scene is by what it was, and each of its channels by that.
const TINT: (f32, f32) = (0.3, 1.0);
const CAST: (f32, f32) = (0.8, 1.0);
/// The share of scenes that stay plain white, as shops have them.
const PLAIN: f64 = 0.3;

/// What a mask says of a pixel.
const PRODUCT: Luma<u8> = Luma([u8::MAX]);
const GROUND: Luma<u8> = Luma([0]);

/// A product in a scene: its picture, somewhere in a larger one that is cut
/// from `other`. `None` when the product does not stand on white.
pub(super) fn lay<C: Deref<Target = [u8]>>(
    picture: &ImageBuffer<Rgb<u8>, C>,
    other: &ImageBuffer<Rgb<u8>, C>,
    random: &mut StdRng,
) -> Option<RgbImage> {
    let shown = cover(picture)?;
    let (width, height) = picture.dimensions();
    let wide = larger(width, random);
    let high = larger(height, random);
    let mut scene = if random.random_bool(PLAIN) {
        RgbImage::from_pixel(wide, high, Rgb([u8::MAX; 3]))
    } else {
        backdrop(other, wide, high, random)
    };
    let left = random.random_range(0..=wide - width);
    let top = random.random_range(0..=high - height);
    for ((x, y, pixel), share) in picture.enumerate_pixels().zip(shown.pixels()) {
        let share = f32::from(share.0[0]) / f32::from(u8::MAX);
        if let Some(behind) = scene.get_pixel_mut_checked(left + x, top + y) {
            *behind = behind.map2(pixel, |behind, front| {
                let (behind, front) = (f32::from(behind), f32::from(front));
                byte(behind + (front - behind) * share)
            });
        }
    }
    Some(scene)
}

/// How much of each pixel is product: the rest is white that hangs together
/// with the rim. The border between them is soft.
fn cover<C: Deref<Target = [u8]>>(picture: &ImageBuffer<Rgb<u8>, C>) -> Option<GrayImage> {
    let (width, height) = picture.dimensions();
    let is_white = |x: u32, y: u32| {
        let pixel = picture.get_pixel_checked(x, y);
        pixel.is_some_and(|pixel| pixel.0.iter().all(|channel| *channel >= WHITE))
    };
    let (right, bottom) = (width.checked_sub(1)?, height.checked_sub(1)?);
    let rows = (0..width).flat_map(|x| [(x, 0), (x, bottom)]);
    let columns = (0..height).flat_map(|y| [(0, y), (right, y)]);
    let rim: Vec<(u32, u32)> = rows.chain(columns).collect();
    let mut next: VecDeque<(u32, u32)> =
        rim.iter().copied().filter(|(x, y)| is_white(*x, *y)).collect();
    if share(next.len(), rim.len()) < RIM {
        return None;
    }
    let mut mask = GrayImage::from_pixel(width, height, PRODUCT);
    let mut covered = 0;
    while let Some((x, y)) = next.pop_front() {
        let Some(known) = mask.get_pixel_mut_checked(x, y) else { continue };
        if *known == PRODUCT && is_white(x, y) {
            *known = GROUND;
            covered += 1;
            let beside = [(x.wrapping_sub(1), y), (x + 1, y), (x, y.wrapping_sub(1)), (x, y + 1)];
            // What lies beyond the rim is no pixel.
            next.extend(beside);
        }
    }
    let share = share(covered, mask.len());
    (PAPER.0..=PAPER.1).contains(&share).then(|| imageops::blur(&mask, 0.7))
}

/// A part of another picture, enlarged and tinted.
fn backdrop<C: Deref<Target = [u8]>>(
    other: &ImageBuffer<Rgb<u8>, C>,
    width: u32,
    height: u32,
    random: &mut StdRng,
) -> RgbImage {
    let share = random.random_range(SCENE.0..=SCENE.1);
    let mut cut = |side: u32| {
        let part = part(side, share).max(1);
        (random.random_range(0..=side.saturating_sub(part)), part)
    };
    let (left, wide) = cut(other.width());
    let (top, high) = cut(other.height());
    let cut = RgbImage::from_fn(wide, high, |x, y| *other.get_pixel(left + x, top + y));
    let mut scene = imageops::resize(&cut, width, height, imageops::FilterType::Triangle);
    let bright = random.random_range(TINT.0..=TINT.1);
    let tint: [f32; 3] = std::array::from_fn(|_| bright * random.random_range(CAST.0..=CAST.1));
    for pixel in scene.pixels_mut() {
        for (channel, tint) in pixel.0.iter_mut().zip(tint) {
            *channel = byte(f32::from(*channel) * tint);
        }
    }
    scene
}

fn larger(side: u32, random: &mut StdRng) -> u32 {
    side + part(side, random.random_range(0.0..=ROOM))
}

#[expect(clippy::cast_precision_loss, reason = "counts of pixels need no more")]
const fn share(some: usize, all: usize) -> f32 {
    some as f32 / all as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::generator;

    /// A square of one colour in the middle of paper of another.
    fn square(product: [u8; 3], paper: [u8; 3]) -> RgbImage {
        let inside = |place: u32| (6..14).contains(&place);
        RgbImage::from_fn(20, 20, |x, y| Rgb(if inside(x) && inside(y) { product } else { paper }))
    }

    fn scenes(picture: &RgbImage) -> Vec<Option<RgbImage>> {
        let other = RgbImage::from_pixel(20, 20, Rgb([90; 3]));
        (0..20).map(|nth| lay(picture, &other, &mut generator(1, "scene", [nth, 0]))).collect()
    }

    #[test]
    fn a_product_on_white_keeps_its_pixels_and_loses_its_paper() {
        let scenes = scenes(&square([200, 0, 0], [255; 3]));
        let scenes: Vec<RgbImage> = scenes.into_iter().flatten().collect();
        assert_eq!(scenes.len(), 20);
        for scene in &scenes {
            // All of the square but its soft border.
            let red = scene.pixels().filter(|pixel| pixel.0 == [200, 0, 0]).count();
            assert!((4 * 4..=8 * 8).contains(&red), "{red}");
        }
        let filled = scenes.iter().filter(|scene| !scene.pixels().any(|p| p.0 == [255; 3]));
        let filled = filled.count();
        assert!((8..20).contains(&filled), "{filled} of 20 scenes have another ground");
        assert!(scenes.iter().any(|scene| scene.dimensions() != (20, 20)));
    }

    #[test]
    fn a_picture_that_does_not_stand_on_white_is_left_alone() {
        assert!(scenes(&square([200, 0, 0], [180, 190, 200])).iter().all(Option::is_none));
    }

    #[test]
    fn a_white_product_does_not_vanish() {
        assert!(scenes(&square([250; 3], [255; 3])).iter().all(Option::is_none));
    }

    #[test]
    fn white_within_a_product_stays() {
        let mut picture = square([200, 0, 0], [255; 3]);
        for (x, y) in [(9, 9), (9, 10), (10, 9), (10, 10)] {
            picture.put_pixel(x, y, Rgb([254; 3]));
        }
        for scene in scenes(&picture).into_iter().flatten() {
            let kept = scene.pixels().filter(|pixel| pixel.0 == [254; 3]).count();
            assert_eq!(kept, 4);
        }
    }
}
