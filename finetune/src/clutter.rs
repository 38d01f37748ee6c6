//! Products that stand on plain white, laid into other scenes: a network that
//! only ever sees them on white takes the white for a part of them.

use std::collections::VecDeque;

use rand::Rng as _;
use rand::rngs::StdRng;

/// What is at least so bright in each channel may be paper.
const WHITE: u8 = 232;
/// The share of a picture's rim that is white when the product stands free.
const RIM: f64 = 0.7;
/// Shares of a picture that paper covers: with less there is nothing to fill,
/// with more the product itself is white and would vanish.
const PAPER: (f64, f64) = (0.1, 0.92);
/// Sides of the scene by those of the picture.
const ROOM: (f64, f64) = (1.0, 1.5);
/// The share of another picture's side that a scene is cut from.
const SCENE: (f64, f64) = (0.2, 0.6);
/// How bright a channel of a scene is by what it was.
const TINT: (f64, f64) = (0.3, 1.0);
/// The share of scenes that stay plain white, as shops have them.
const PLAIN: f64 = 0.3;

/// Packed RGB with its height and width.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scene {
    pub(crate) pixels: Vec<u8>,
    pub(crate) size: [usize; 2],
}

/// A product in a scene: its picture, somewhere in a larger one that is cut
/// from `other`, a picture of the same size. `None` when the product does not
/// stand on white.
pub(crate) fn lay(
    pixels: &[u8],
    size: [usize; 2],
    other: &[u8],
    random: &mut StdRng,
) -> Option<Scene> {
    let shown = cover(pixels, size)?;
    let [height, width] = size;
    let larger = |side: usize, random: &mut StdRng| {
        whole(float(side) * random.random_range(ROOM.0..=ROOM.1)).max(side)
    };
    let room = [larger(height, random), larger(width, random)];
    let top = random.random_range(0..=room[0] - height);
    let left = random.random_range(0..=room[1] - width);
    let backdrop = Backdrop::draw(other, size, room, random);
    let mut scene = Vec::with_capacity(3 * room[0] * room[1]);
    for row in 0..room[0] {
        for column in 0..room[1] {
            let behind = backdrop.at(row, column);
            let inside = row.checked_sub(top).zip(column.checked_sub(left));
            let inside = inside.filter(|(row, column)| *row < height && *column < width);
            let place = inside.map(|(row, column)| row * width + column);
            let front = place.and_then(|place| {
                let (pixels, _) = pixels.as_chunks::<3>();
                Some((pixels.get(place)?, *shown.get(place)?))
            });
            match front {
                Some((pixel, share)) => scene.extend(
                    pixel.iter().zip(behind).map(|(front, behind)| mix(behind, *front, share)),
                ),
                None => scene.extend_from_slice(&behind),
            }
        }
    }
    Some(Scene { pixels: scene, size: room })
}

/// How much of each pixel is product: the rest is white that hangs together
/// with the rim. The border between them is soft.
fn cover(pixels: &[u8], [height, width]: [usize; 2]) -> Option<Vec<f64>> {
    let (pixels, _) = pixels.as_chunks::<3>();
    let is_white =
        |place: usize| pixels.get(place).is_some_and(|pixel| pixel.iter().all(|c| *c >= WHITE));
    let last = [height.checked_sub(1)?, width.checked_sub(1)?];
    let is_rim =
        |row: usize, column: usize| row == 0 || column == 0 || row == last[0] || column == last[1];
    let rim: Vec<usize> = (0..height)
        .flat_map(|row| (0..width).map(move |column| (row, column)))
        .filter(|(row, column)| is_rim(*row, *column))
        .map(|(row, column)| row * width + column)
        .collect();
    let mut paper = vec![false; height * width];
    let mut next: VecDeque<usize> = rim.iter().copied().filter(|place| is_white(*place)).collect();
    if float(next.len()) < RIM * float(rim.len()) {
        return None;
    }
    while let Some(place) = next.pop_front() {
        match paper.get_mut(place) {
            Some(known) if !*known && is_white(place) => *known = true,
            Some(_) | None => continue,
        }
        let (row, column) = (place / width, place % width);
        next.extend((row > 0).then(|| place - width));
        next.extend((row < last[0]).then_some(place + width));
        next.extend((column > 0).then(|| place - 1));
        next.extend((column < last[1]).then_some(place + 1));
    }
    let covered = float(paper.iter().filter(|is_paper| **is_paper).count());
    let share = covered / float(paper.len());
    if !(PAPER.0..=PAPER.1).contains(&share) {
        return None;
    }
    // What is product among a pixel and its eight neighbours.
    let around = |place: usize| {
        let (row, column) = (place / width, place % width);
        let rows = row.saturating_sub(1)..=(row + 1).min(last[0]);
        let near = rows.flat_map(|row| {
            let columns = column.saturating_sub(1)..=(column + 1).min(last[1]);
            columns.map(move |column| row * width + column)
        });
        let (product, all) = near.fold((0, 0), |(product, all), place| {
            let is_product = paper.get(place) == Some(&false);
            (product + usize::from(is_product), all + 1)
        });
        float(product) / float(all)
    };
    Some((0..paper.len()).map(around).collect())
}

/// What stands behind a product.
struct Backdrop<'a> {
    /// `None` for plain white.
    other: Option<&'a [[u8; 3]]>,
    width: usize,
    /// Where the cut begins.
    from: [f64; 2],
    /// Pixels of the other picture for one of the scene.
    step: [f64; 2],
    tint: [f64; 3],
}

impl<'a> Backdrop<'a> {
    fn draw(other: &'a [u8], size: [usize; 2], room: [usize; 2], random: &mut StdRng) -> Self {
        let (other, _) = other.as_chunks::<3>();
        let plain = random.random_bool(PLAIN);
        let share = random.random_range(SCENE.0..=SCENE.1);
        let mut axis = |side: usize, room: usize| {
            let cut = share * float(side);
            (random.random_range(0.0..=float(side) - cut), cut / float(room.max(1)))
        };
        let (top, down) = axis(size[0], room[0]);
        let (left, across) = axis(size[1], room[1]);
        let bright = random.random_range(TINT.0..=TINT.1);
        let tint = std::array::from_fn(|_| bright * random.random_range(0.8..=1.0));
        Self {
            other: (!plain).then_some(other),
            width: size[1],
            from: [top, left],
            step: [down, across],
            tint,
        }
    }

    fn at(&self, row: usize, column: usize) -> [u8; 3] {
        let Some(other) = self.other else { return [u8::MAX; 3] };
        let y = whole(self.from[0] + float(row) * self.step[0]);
        let x = whole(self.from[1] + float(column) * self.step[1]);
        let pixel = other.get(y * self.width + x).copied().unwrap_or_default();
        let mut tinted = pixel;
        for (channel, tint) in tinted.iter_mut().zip(self.tint) {
            *channel = mix(0, *channel, tint);
        }
        tinted
    }
}

/// A channel between two, nearer to the second the larger its share.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between two bytes lies a byte"
)]
fn mix(behind: u8, front: u8, share: f64) -> u8 {
    let (behind, front) = (f64::from(behind), f64::from(front));
    (behind + (front - behind) * share + 0.5) as u8
}

#[expect(clippy::cast_precision_loss, reason = "counts of pixels are far below 2^52")]
const fn float(number: usize) -> f64 {
    number as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place in a picture, not below 0"
)]
const fn whole(value: f64) -> usize {
    value as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::generator;

    const SIZE: [usize; 2] = [20, 20];

    /// A square of one colour in the middle of paper of another.
    fn square(product: [u8; 3], paper: [u8; 3]) -> Vec<u8> {
        let inside = |place: usize| (6..14).contains(&place);
        (0..20)
            .flat_map(|row| (0..20).map(move |column| (row, column)))
            .flat_map(|(row, column)| if inside(row) && inside(column) { product } else { paper })
            .collect()
    }

    fn scenes(pixels: &[u8]) -> Vec<Option<Scene>> {
        let other = vec![90; 3 * 20 * 20];
        (0..20).map(|nth| lay(pixels, SIZE, &other, &mut generator(1, "scene", [nth, 0]))).collect()
    }

    #[test]
    fn a_product_on_white_keeps_its_pixels_and_loses_its_paper() {
        let scenes = scenes(&square([200, 0, 0], [255; 3]));
        let scenes: Vec<Scene> = scenes.into_iter().flatten().collect();
        assert_eq!(scenes.len(), 20);
        for scene in &scenes {
            assert_eq!(scene.pixels.len(), 3 * scene.size[0] * scene.size[1]);
            let (pixels, _) = scene.pixels.as_chunks::<3>();
            // All of the square but its soft border.
            let red = pixels.iter().filter(|pixel| **pixel == [200, 0, 0]).count();
            assert_eq!(red, 6 * 6);
        }
        let without_white = |scene: &&Scene| !scene.pixels.chunks(3).any(|p| p == [255; 3]);
        let filled = scenes.iter().filter(without_white).count();
        assert!((8..20).contains(&filled), "{filled} of 20 scenes have another ground");
        assert!(scenes.iter().any(|scene| scene.size != SIZE));
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
        let mut pixels = square([200, 0, 0], [255; 3]);
        let middle = 3 * (10 * 20 + 10);
        pixels[middle..middle + 3].fill(255);
        for scene in scenes(&pixels).into_iter().flatten() {
            let (found, _) = scene.pixels.as_chunks::<3>();
            let place = found.iter().position(|pixel| *pixel == [200, 0, 0]).unwrap();
            // The first whole pixel of the product is three above its middle.
            let middle = place + 3 * scene.size[1] + 3;
            assert_eq!(found[middle], [255; 3]);
        }
    }
}
