//! Changing pictures before they are learned from: a part cut out, turned,
//! mirrored and enlarged in one go; then its colours; then a rectangle painted
//! over (Zhong et al. 2020, "Random Erasing Data Augmentation").

use std::f64::consts::TAU;

use rand::Rng as _;
use rand::rngs::StdRng;

use crate::road::tuning::Augment;

/// Widths of a cut-out by its height.
const RATIOS: (f64, f64) = (3.0 / 4.0, 4.0 / 3.0);
/// Shares of a picture that a rectangle covers.
const ERASED: (f64, f64) = (0.02, 0.2);
/// Tries to find a cut-out that fits.
const TRIES: usize = 10;

/// Changes pictures of one size into pictures of another.
#[derive(Debug, Clone, Copy)]
pub struct Augmenter {
    /// How much.
    pub rules: Augment,
    /// Height and width of what comes in.
    pub from: [usize; 2],
    /// Height and width of what goes out.
    pub to: [usize; 2],
}

impl Augmenter {
    /// A changed picture; both are rows of packed RGB.
    #[must_use]
    pub fn view(&self, pixels: &[u8], random: &mut StdRng) -> Vec<u8> {
        let mut view = self.sample(pixels, random);
        self.colour(&mut view, random);
        if random.random_bool(self.rules.erase.clamp(0.0, 1.0)) {
            self.erase(&mut view, random);
        }
        view
    }

    /// Height and width of a cut-out, as shares of what comes in.
    fn cut(&self, random: &mut StdRng) -> [f64; 2] {
        for _ in 0..TRIES {
            let area: f64 = random.random_range(self.rules.crop.min(1.0)..=1.0);
            let (low, high) = (RATIOS.0.ln(), RATIOS.1.ln());
            let ratio = random.random_range(low..=high).exp().sqrt();
            let [height, width] = [area.sqrt() / ratio, area.sqrt() * ratio];
            if height <= 1.0 && width <= 1.0 {
                return [height, width];
            }
        }
        [1.0, 1.0]
    }

    fn sample(&self, pixels: &[u8], random: &mut StdRng) -> Vec<u8> {
        let [from_height, from_width] = self.from.map(float);
        let [to_height, to_width] = self.to.map(float);
        let [height, width] = self.cut(random);
        let (height, width) = (height * from_height, width * from_width);
        let middle = |whole: f64, part: f64, random: &mut StdRng| {
            part / 2.0 + random.random_range(0.0..=1.0) * (whole - part)
        };
        let middle_y = middle(from_height, height, random);
        let middle_x = middle(from_width, width, random);
        let angle = self.rules.rotation * random.random_range(-1.0..=1.0) / 360.0 * TAU;
        let mirrored = self.rules.flip && random.random_bool(0.5);
        let (sin, cos) = angle.sin_cos();
        let source = Source { pixels, size: self.from };
        let mut view = Vec::with_capacity(3 * self.to.iter().product::<usize>());
        for row in 0..self.to[0] {
            let down = ((float(row) + 0.5) / to_height - 0.5) * height;
            for column in 0..self.to[1] {
                let across = ((float(column) + 0.5) / to_width - 0.5) * width;
                let across = if mirrored { -across } else { across };
                let y = middle_y + down * cos + across * sin - 0.5;
                let x = middle_x + across * cos - down * sin - 0.5;
                view.extend_from_slice(&source.at(y, x));
            }
        }
        view
    }

    /// Brightness, contrast about the mean grey, saturation about the pixel's
    /// own grey.
    fn colour(&self, view: &mut [u8], random: &mut StdRng) {
        let most = self.rules.colour;
        let mut factor = || 1.0 + most * random.random_range(-1.0..=1.0);
        let [brightness, contrast, saturation] = [factor(), factor(), factor()];
        let (pixels, _) = view.as_chunks_mut::<3>();
        let sum: f64 = pixels.iter().map(grey).sum();
        let mean = sum / float(pixels.len().max(1));
        for pixel in pixels {
            let own = grey(pixel);
            for channel in pixel {
                let saturated = own + (f64::from(*channel) - own) * saturation;
                let value = (mean + (saturated - mean) * contrast) * brightness;
                *channel = byte(value);
            }
        }
    }

    fn erase(&self, view: &mut [u8], random: &mut StdRng) {
        let [height, width] = self.to;
        let share: f64 = random.random_range(ERASED.0..=ERASED.1);
        let ratio = random.random_range(-1.0_f64..=1.0).exp().sqrt();
        let part = |whole: usize, share: f64| whole_part(float(whole) * share.min(1.0));
        let (tall, broad) = (part(height, share.sqrt() * ratio), part(width, share.sqrt() / ratio));
        let top = random.random_range(0..=height.saturating_sub(tall));
        let left = random.random_range(0..=width.saturating_sub(broad));
        let colour: [u8; 3] = random.random();
        let rows = view.chunks_exact_mut(3 * width).skip(top).take(tall);
        for row in rows {
            let (pixels, _) = row.as_chunks_mut::<3>();
            pixels.iter_mut().skip(left).take(broad).for_each(|pixel| *pixel = colour);
        }
    }
}

/// A picture that is read between its pixels.
struct Source<'a> {
    pixels: &'a [u8],
    size: [usize; 2],
}

impl Source<'_> {
    /// The colour at a place, between its four neighbours; the edge goes on
    /// beyond itself.
    fn at(&self, y: f64, x: f64) -> [u8; 3] {
        let ([top, bottom], down) = between(y, self.size[0]);
        let ([left, right], across) = between(x, self.size[1]);
        let corners = [(top, left), (top, right), (bottom, left), (bottom, right)];
        let corners = corners.map(|(row, column)| self.pixel(row, column));
        std::array::from_fn(|channel| {
            let [a, b, c, d] =
                corners.map(|pixel| f64::from(pixel.get(channel).copied().unwrap_or_default()));
            let upper = a + (b - a) * across;
            let lower = c + (d - c) * across;
            byte(upper + (lower - upper) * down)
        })
    }

    fn pixel(&self, row: usize, column: usize) -> [u8; 3] {
        let start = 3 * (row * self.size[1] + column);
        let pixel = self.pixels.get(start..).and_then(|rest| rest.first_chunk::<3>());
        pixel.copied().unwrap_or_default()
    }
}

/// The two whole places around a place, and how far it is from the first.
fn between(place: f64, size: usize) -> ([usize; 2], f64) {
    let last = float(size.saturating_sub(1));
    let place = place.clamp(0.0, last);
    let first = whole_part(place);
    ([first, (first + 1).min(size.saturating_sub(1))], place.fract())
}

/// ITU-R BT.601.
fn grey(pixel: &[u8; 3]) -> f64 {
    let [red, green, blue] = pixel.map(f64::from);
    0.299 * red + 0.587 * green + 0.114 * blue
}

#[expect(clippy::cast_precision_loss, reason = "sides of pictures are far below 2^52")]
const fn float(number: usize) -> f64 {
    number as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a side of a picture, not below 0"
)]
const fn whole_part(value: f64) -> usize {
    value as usize
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is beyond a byte becomes its limit"
)]
fn byte(value: f64) -> u8 {
    (value + 0.5).clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::generator;

    const STILL: Augment =
        Augment { crop: 1.0, flip: false, rotation: 0.0, colour: 0.0, erase: 0.0 };

    fn gradient(height: usize, width: usize) -> Vec<u8> {
        let channel = |place: usize| u8::try_from(place % 251).unwrap();
        (0..3 * height * width).map(channel).collect()
    }

    fn augmenter(rules: Augment, from: usize, to: usize) -> Augmenter {
        Augmenter { rules, from: [from; 2], to: [to; 2] }
    }

    #[test]
    fn a_picture_that_nothing_changes_is_itself() {
        let pixels = gradient(20, 20);
        // A cut-out of the whole area has to be square to fit.
        let still = augmenter(STILL, 20, 20);
        assert_eq!(still.view(&pixels, &mut generator(0, "view", [0, 0])), pixels);
    }

    #[test]
    fn a_mirrored_row_is_reversed() {
        let pixels: Vec<u8> = (0..4 * 4).flat_map(|place| [place % 4 * 10; 3]).collect();
        let flip = augmenter(Augment { flip: true, ..STILL }, 4, 4);
        let views: Vec<Vec<u8>> =
            (0..20).map(|nth| flip.view(&pixels, &mut generator(0, "view", [nth, 0]))).collect();
        let reversed: Vec<u8> = pixels.chunks(3).rev().flatten().copied().collect();
        assert!(views.contains(&pixels) && views.contains(&reversed));
        assert!(views.iter().all(|view| *view == pixels || *view == reversed));
    }

    #[test]
    fn the_same_chance_makes_the_same_view_and_another_another() {
        let pixels = gradient(40, 40);
        let all = augmenter(Augment::default(), 40, 32);
        let view = |nth| all.view(&pixels, &mut generator(7, "view", [nth, 3]));
        assert_eq!(view(0), view(0));
        assert_ne!(view(0), view(1));
        assert_eq!(view(0).len(), 3 * 32 * 32);
    }

    #[test]
    fn erasing_paints_one_rectangle_of_one_colour() {
        let pixels = vec![100; 3 * 30 * 30];
        let erase = augmenter(Augment { erase: 1.0, ..STILL }, 30, 30);
        let view = erase.view(&pixels, &mut generator(1, "view", [0, 0]));
        let painted: Vec<&[u8]> = view.chunks(3).filter(|pixel| **pixel != [100; 3]).collect();
        assert!(painted.len() > 9 && painted.len() < 30 * 30 / 3, "{}", painted.len());
        assert!(painted.windows(2).all(|two| two[0] == two[1]));
    }
}
