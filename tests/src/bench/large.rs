//! What JPEG's own scaling would save on large photographs, and what it would
//! change. The service decodes every picture whole; this is where to see why.
//!
//! A JPEG can be decoded at a half, a quarter or an eighth of its size by a
//! smaller DCT. What is left is resized as always, from at least twice the side
//! that the network's pictures are resized to.

use std::io::Cursor;
use std::time::Instant;

use aisle_shared::domain::Prediction;
use aisle_shared::image_probe::ImageLimits;
use aisle_worker::decode::decode;
use bytes::Bytes;
use image::{DynamicImage, ImageFormat, RgbImage, imageops};
use libjpeg_turbo_rs::decode::pipeline::Decoder;
use libjpeg_turbo_rs::{Encoder, PixelFormat, ScalingFactor, Subsampling};

use super::bare::Bare;
use super::decoder::FRAMING;
use super::machine::processors;
use super::options::Options;
use super::report::Report;
use super::stats::ratios;
use super::subject::Subject;
use super::table::{Table, spread};

const PART: &str = "large";
/// What the shorter side is divided by.
const SCALES: [u32; 3] = [2, 4, 8];
/// What has to be left of the shorter side: twice what it is resized to.
const LEFT: u32 = 2 * 256;
/// Large photographs at most.
const MOST: usize = 40;
/// Where there are none, so many are put together, of that size.
const COMPOSED: usize = 4;
const SIZE: [u32; 2] = [4000, 3000];

/// Times, pixels and answers at each scale that is allowed.
///
/// # Panics
/// When a picture or the network fails.
pub fn run(options: &Options, subject: &Subject, report: &mut Report) {
    let large = |bytes: &&Bytes| shorter_side(bytes).is_some_and(|side| side >= SCALES[0] * LEFT);
    let mut pictures: Vec<Bytes> = subject.pictures.iter().filter(large).cloned().collect();
    pictures.truncate(MOST);
    if pictures.is_empty() {
        report.note(
            "no photograph is large, so some are composed of many: times are as of large ones, \
             but what their answers do says nothing"
                .to_owned(),
        );
        let part = subject.pictures.len().div_ceil(COMPOSED);
        pictures = subject.pictures.chunks(part).map(composed).collect();
    }
    let mut bare = Bare::new(subject.model_folder(), 1, processors(), 8);
    let columns = [
        "",
        "whole, ms",
        "scaled, ms",
        "scaled / whole",
        "levels off",
        "most",
        "same label",
        "score",
    ];
    let mut table = Table::new("decoding large JPEGs whole and scaled", &columns);
    for scale in SCALES {
        let left = |bytes: &&Bytes| shorter_side(bytes).is_some_and(|side| side / scale >= LEFT);
        let pictures: Vec<Bytes> = pictures.iter().filter(left).cloned().collect();
        if pictures.is_empty() {
            continue;
        }
        let [mut whole, mut scaled] = [Vec::new(), Vec::new()];
        for _ in 0..options.rounds {
            whole.push(milliseconds(&pictures, 1));
            scaled.push(milliseconds(&pictures, scale));
        }
        let ratio = ratios(&scaled, &whole);
        let (mean, most) = levels_off(&pictures, scale);
        let (same, moved) = answers(&mut bare, &pictures, scale);
        let who = format!("1/{scale}, {} pictures", pictures.len());
        for (what, values) in [
            ("whole_ms", &whole[..]),
            ("scaled_ms", &scaled),
            ("scaled_to_whole", &ratio),
            ("mean_levels_off", &[mean]),
            ("most_levels_off", &[f64::from(most)]),
            ("same_label", &[same]),
            ("best_score_moved_by_at_most", &[moved]),
        ] {
            report.keep(PART, &who, what, values);
        }
        let times = [spread(&whole, 1), spread(&scaled, 1), spread(&ratio, 2)];
        let off = [format!("{mean:.2}"), most.to_string()];
        let answers = [format!("{:.0} %", same * 100.0), format!("± {moved:.3}")];
        table.row([who].into_iter().chain(times).chain(off).chain(answers));
    }
    report.show(&table);
}

/// The shorter side of a JPEG; nothing else can be scaled.
fn shorter_side(bytes: &[u8]) -> Option<u32> {
    let decoder = Decoder::new(bytes).ok()?;
    let header = decoder.header();
    Some(u32::from(header.width.min(header.height)))
}

fn decoded(bytes: &[u8], scale: u32) -> RgbImage {
    let mut decoder = Decoder::new(bytes).expect("a JPEG");
    decoder.set_output_format(PixelFormat::Rgb);
    decoder.set_scale(ScalingFactor::new(1, scale));
    let image = decoder.decode_image().expect("a whole JPEG");
    let [width, height] =
        [image.width, image.height].map(|side| u32::try_from(side).expect("a side"));
    RgbImage::from_raw(width, height, image.data).expect("all pixels")
}

/// What the network would see.
fn framed(bytes: &[u8], scale: u32) -> Vec<u8> {
    FRAMING.pixels(&decoded(bytes, scale))
}

/// Milliseconds of a picture on one thread.
fn milliseconds(pictures: &[Bytes], scale: u32) -> f64 {
    let started = Instant::now();
    for picture in pictures {
        std::hint::black_box(framed(picture, scale));
    }
    started.elapsed().as_secs_f64() * 1e3 / pictures.len() as f64
}

/// How far what the network sees is off: on average, and at most.
fn levels_off(pictures: &[Bytes], scale: u32) -> (f64, u8) {
    let differences = pictures.iter().flat_map(|picture| {
        let pairs = framed(picture, 1).into_iter().zip(framed(picture, scale));
        pairs.map(|(whole, scaled)| whole.abs_diff(scaled))
    });
    let (sum, most, count) = differences.fold((0.0, 0, 0.0), |(sum, most, count), difference| {
        (sum + f64::from(difference), difference.max(most), count + 1.0)
    });
    (sum / count, most)
}

/// The share of pictures whose best label stays, and how far the best score
/// moves at most.
fn answers(bare: &mut Bare, pictures: &[Bytes], scale: u32) -> (f64, f64) {
    let scaled: Vec<Bytes> = pictures
        .iter()
        .map(|picture| {
            let mut png = Cursor::new(Vec::new());
            let image = DynamicImage::ImageRgb8(decoded(picture, scale));
            image.write_to(&mut png, ImageFormat::Png).expect("memory");
            Bytes::from(png.into_inner())
        })
        .collect();
    let [whole, scaled]: [Vec<Prediction>; 2] = [bare.best_of(pictures), bare.best_of(&scaled)];
    let pairs = || whole.iter().zip(&scaled);
    let same = pairs().filter(|(whole, scaled)| whole.label == scaled.label).count();
    let moved = pairs().map(|(whole, scaled)| f64::from((whole.score - scaled.score).abs()));
    (same as f64 / pictures.len() as f64, moved.fold(0.0, f64::max))
}

/// A large picture of many, at the size that they have, as a camera encodes it.
fn composed(pictures: &[Bytes]) -> Bytes {
    let [width, height] = SIZE;
    let mut canvas = RgbImage::new(width, height);
    let (mut left, mut top, mut below) = (0, 0, 0);
    for picture in pictures.iter().cycle() {
        let picture = decode(picture, &ImageLimits::default()).expect("a picture").pixels;
        imageops::replace(&mut canvas, &picture, left.into(), top.into());
        below = below.max(top + picture.height());
        left += picture.width();
        if left >= width {
            (left, top) = (0, below);
        }
        if top >= height {
            break;
        }
    }
    let [columns, rows] = SIZE.map(|side| side as usize);
    let encoder = Encoder::new(canvas.as_raw(), columns, rows, PixelFormat::Rgb);
    encoder.quality(85).subsampling(Subsampling::S420).encode().expect("a JPEG").into()
}
