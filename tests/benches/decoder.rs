//! What it costs to decode in child processes: the same pictures in this
//! process and in children of the real binary, in one run, interleaved,
//! printed as a ratio.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints, and fails by panicking"
)]

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use aisle_shared::image_probe::ImageLimits;
use aisle_tests::pictures::{Colour, picture};
use aisle_tests::places::{files_below, shared_folder};
use aisle_tests::service::binary;
use aisle_worker::decoder::{Decoder, DecoderSettings, Isolation, Program};
use aisle_worker::model::{Crop, CropRounding, Extent, Filter, Resize, ResizeTo};
use aisle_worker::preprocess::Framing;
use image::ImageFormat;

const ROUNDS: usize = 11;
const PICTURES: usize = 400;

/// What most networks see.
const FRAMING: Framing = Framing {
    resize: Some(Resize { to: ResizeTo::ShortestEdge(256), filter: Filter::Bilinear }),
    crop: Some(Crop { size: Extent::square(224), rounding: CropRounding::Down }),
    output: Extent::square(224),
};

fn main() {
    let pictures = pictures();
    let children = Program { path: binary(), arguments: vec!["decoder".into()] };
    for threads in [1, aisle_worker::default_threads().get()] {
        let here = decoder(Isolation::Here, threads);
        let apart = decoder(Isolation::Processes(children.clone()), threads);
        let (mut costs_here, mut costs_apart, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (a, b) = (cost(&here, &pictures, threads), cost(&apart, &pictures, threads));
            costs_here.push(a);
            costs_apart.push(b);
            ratios.push(b / a);
        }
        println!(
            "{threads} threads: {:.3} ms here, {:.3} ms in children, ratio {:.3} ({:.3} to {:.3})",
            median(&mut costs_here),
            median(&mut costs_apart),
            median(&mut ratios),
            ratios[0],
            ratios[ROUNDS - 1],
        );
    }
}

fn decoder(isolation: Isolation, threads: usize) -> Decoder {
    let children = NonZeroUsize::new(threads).expect("a thread");
    let settings = DecoderSettings::new(isolation);
    Decoder::start(&settings, ImageLimits::default(), children).expect("a decoder")
}

fn pictures() -> Vec<Vec<u8>> {
    let Some(shared) = shared_folder("real photographs in the benchmark") else {
        let drawn = Colour::ALL.map(|colour| picture(colour, 400, 533, ImageFormat::Jpeg));
        return drawn.into_iter().cycle().take(PICTURES).collect();
    };
    let files = files_below(&shared.join("data/clothing/validation"));
    files.iter().cycle().take(PICTURES).map(|file| std::fs::read(file).expect("a photo")).collect()
}

/// Milliseconds of all threads for one picture, decoded and resized.
fn cost(decoder: &Decoder, pictures: &[Vec<u8>], threads: usize) -> f64 {
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(picture) = pictures.get(next.fetch_add(1, Ordering::Relaxed)) {
                    decoder.frame(picture, &FRAMING).expect("a picture");
                }
            });
        }
    });
    started.elapsed().as_secs_f64() * 1e3 * threads as f64 / pictures.len() as f64
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
