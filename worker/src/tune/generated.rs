//! Pictures of many kinds, the same ones each time: what answers are compared
//! on where a model folder brings no samples. Flat and shaded areas, edges,
//! textures and noise drive a network's layers through their ranges, as
//! photographs do; what they cannot show is how sure it is of photographs.

use image::imageops::{FilterType, resize};
use image::{Rgb, Rgb32FImage, RgbImage};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// The pictures' side in pixels.
const SIDE: u32 = 256;

/// What makes them the same each time.
const SEED: u64 = 1;

type Colour = [f32; 3];

/// A picture as a function: its colour at a place from 0 to 1, 0 to 1.
type Painter = Box<dyn Fn(f32, f32) -> Colour>;

/// That many pictures, of each kind as many.
pub(super) fn pictures(count: usize) -> Vec<RgbImage> {
    let mut random = StdRng::seed_from_u64(SEED);
    (0..count).map(|number| picture(number, &mut random)).collect()
}

fn picture(number: usize, random: &mut StdRng) -> RgbImage {
    match number % 8 {
        0 => painted(&gradient(random)),
        1 => painted(&stripes(random)),
        2 => painted(&checks(random)),
        3 => clouds(random, &[4, 8, 16, 32, 64, 128, 256]),
        4 => painted(&shapes(random)),
        5 => painted(&solids(random)),
        6 => RgbImage::from_fn(SIDE, SIDE, |_, _| Rgb(random.random())),
        _ => clouds(random, &[6]),
    }
}

fn painted(painter: &Painter) -> RgbImage {
    let place = |pixel: u32| pixel as f32 / SIDE as f32;
    RgbImage::from_fn(SIDE, SIDE, |x, y| Rgb(painter(place(x), place(y)).map(level)))
}

fn level(value: f32) -> u8 {
    value.clamp(0.0, 255.0) as u8
}

fn colour(random: &mut StdRng) -> Colour {
    std::array::from_fn(|_| random.random_range(0.0..255.0))
}

fn mixed(one: Colour, other: Colour, share: f32) -> Colour {
    std::array::from_fn(|channel| {
        let of = |colour: Colour| colour.get(channel).copied().unwrap_or_default();
        of(one) * (1.0 - share) + of(other) * share
    })
}

fn gradient(random: &mut StdRng) -> Painter {
    let (one, other) = (colour(random), colour(random));
    let (sin, cos) = random.random_range(0.0..std::f32::consts::FRAC_PI_2).sin_cos();
    Box::new(move |x, y| mixed(one, other, (x * cos + y * sin) / (sin + cos)))
}

fn stripes(random: &mut StdRng) -> Painter {
    let (one, other) = (colour(random), colour(random));
    let (sin, cos) = random.random_range(0.0..std::f32::consts::TAU).sin_cos();
    let density = random.random_range(4.0..60.0);
    Box::new(move |x, y| mixed(one, other, 0.5 + 0.5 * (density * (x * cos + y * sin)).sin()))
}

fn checks(random: &mut StdRng) -> Painter {
    let (one, other) = (colour(random), colour(random));
    let density = random.random_range(3.0..30.0_f32);
    Box::new(move |x, y| {
        let odd = ((x * density).floor() + (y * density).floor()) % 2.0;
        mixed(one, other, odd.abs())
    })
}

/// Discs and boxes on white, as catalogues have them.
fn shapes(random: &mut StdRng) -> Painter {
    let shapes: Vec<_> =
        (0..6).map(|number| (number % 2 == 0, spot(random), colour(random))).collect();
    Box::new(move |x, y| {
        let inside = |(disc, spot, _): &&(bool, Spot, Colour)| {
            if *disc { spot.away(x, y) < 1.0 } else { spot.aside(x, y) < 1.0 }
        };
        let top = shapes.iter().rfind(inside);
        top.map_or([245.0; 3], |(_, _, colour)| *colour)
    })
}

/// Rounded bodies with light and fabric before a shaded ground.
fn solids(random: &mut StdRng) -> Painter {
    let ground = (colour(random), colour(random));
    let bodies: Vec<_> = (0..4)
        .map(|_| {
            let weave = [random.random_range(24.0..80.0), random.random_range(24.0..80.0_f32)];
            (spot(random), colour(random), weave)
        })
        .collect();
    Box::new(move |x, y| {
        let inside = |(spot, ..): &&(Spot, Colour, [f32; 2])| spot.away(x, y) < 1.0;
        let Some((spot, colour, [across, down])) = bodies.iter().rfind(inside) else {
            return mixed(ground.0, ground.1, y);
        };
        let light = 1.0 - 0.5 * ((x - spot.x) / spot.wide + (y - spot.y) / spot.high);
        let fabric = 1.0 + 0.3 * (across * x + down * y).sin();
        colour.map(|channel| channel * light * fabric)
    })
}

/// A place with an extent.
struct Spot {
    x: f32,
    y: f32,
    wide: f32,
    high: f32,
}

fn spot(random: &mut StdRng) -> Spot {
    let mut between = |from: f32, to: f32| random.random_range(from..to);
    Spot {
        x: between(0.2, 0.8),
        y: between(0.2, 0.8),
        wide: between(0.08, 0.3),
        high: between(0.08, 0.3),
    }
}

impl Spot {
    /// Squared distance in units of its extent: below 1 is inside an ellipse.
    fn away(&self, x: f32, y: f32) -> f32 {
        ((x - self.x) / self.wide).powi(2) + ((y - self.y) / self.high).powi(2)
    }

    /// The larger distance along an axis: below 1 is inside a box.
    fn aside(&self, x: f32, y: f32) -> f32 {
        ((x - self.x) / self.wide).abs().max(((y - self.y) / self.high).abs())
    }
}

/// Noise at several scales, finer ones fainter.
fn clouds(random: &mut StdRng, scales: &[u32]) -> RgbImage {
    let mut sum = Rgb32FImage::new(SIDE, SIDE);
    let mut strength = 0.7;
    for scale in scales {
        // From 0 to 1, to which resizing cuts values off.
        let noise = Rgb32FImage::from_fn(*scale, *scale, |_, _| {
            Rgb(std::array::from_fn(|_| random.random()))
        });
        let noise = resize(&noise, SIDE, SIDE, FilterType::CatmullRom);
        for (sum, noise) in sum.iter_mut().zip(noise.iter()) {
            *sum += strength * (2.0 * noise - 1.0);
        }
        strength /= 1.6;
    }
    let levels = sum.iter().map(|value| level(127.5 + 127.5 * value)).collect();
    RgbImage::from_raw(SIDE, SIDE, levels).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn pictures_are_the_same_each_time_and_differ_from_each_other() {
        let (first, second) = (pictures(16), pictures(16));
        assert_eq!(first, second);
        let distinct: HashSet<&[u8]> =
            first.iter().map(|picture| picture.as_raw().as_slice()).collect();
        assert_eq!(distinct.len(), 16);
    }

    #[test]
    fn pictures_use_the_whole_range_of_values() {
        for picture in pictures(16).chunks(8) {
            let levels: HashSet<u8> =
                picture.iter().flat_map(|each| each.iter().copied()).collect();
            assert!(levels.len() > 250);
        }
    }
}
