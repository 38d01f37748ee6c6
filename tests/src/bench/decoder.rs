//! What it costs to decode in child processes: the same pictures in this
//! process and in children of the real binary.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aisle_shared::image_probe::ImageLimits;
use aisle_worker::decoder::{Decoder, DecoderSettings, Isolation, Program};
use aisle_worker::model::{Crop, CropRounding, Extent, Filter, Resize, ResizeTo};
use aisle_worker::preprocess::Framing;
use bytes::Bytes;

use super::machine::processors;
use super::options::Options;
use super::processes::processor_seconds;
use super::report::Report;
use super::stats::ratios;
use super::table::{Table, spread};
use crate::service::binary;

const PART: &str = "decoder";
/// What most networks see.
pub(super) const FRAMING: Framing = Framing {
    resize: Some(Resize { to: ResizeTo::ShortestEdge(256), filter: Filter::Bilinear }),
    crop: Some(Crop { size: Extent::square(224), rounding: CropRounding::Down }),
    output: Extent::square(224),
};

/// What a picture costs.
#[derive(Debug, Clone, Copy)]
struct Cost {
    /// Milliseconds that a thread was busy with it.
    thread_ms: f64,
    /// Milliseconds of processor time, here and in children.
    processor_ms: f64,
}

/// What is counted of a cost.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Thread,
    Processor,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Thread => "thread_ms",
            Self::Processor => "processor_ms",
        }
    }
}

impl Cost {
    const fn of(self, kind: Kind) -> f64 {
        match kind {
            Kind::Thread => self.thread_ms,
            Kind::Processor => self.processor_ms,
        }
    }
}

/// Measures one thread and as many as there are processors.
pub fn run(options: &Options, pictures: &[Bytes], report: &mut Report) {
    let children = Program { path: binary(), arguments: vec!["decoder".into()] };
    let columns = ["threads", "here", "in children", "children / here"];
    let mut times = Table::new("decoding and resizing a picture, ms of a thread", &columns);
    let mut costs = Table::new("the same, ms of processor time", &columns);
    let mut counts = vec![1, processors()];
    counts.dedup();
    for threads in counts {
        let here = decoder(Isolation::Here, threads);
        let apart = decoder(Isolation::Processes(children.clone()), threads);
        let [mut costs_here, mut costs_apart] = [Vec::new(), Vec::new()];
        for _ in 0..options.rounds {
            costs_here.push(cost(&here, pictures, threads, options.length / 2));
            costs_apart.push(cost(&apart, pictures, threads, options.length / 2));
        }
        for (table, kind) in [(&mut times, Kind::Thread), (&mut costs, Kind::Processor)] {
            let what = kind.name();
            let of = |cost: &Cost| cost.of(kind);
            let here: Vec<f64> = costs_here.iter().map(of).collect();
            let apart: Vec<f64> = costs_apart.iter().map(of).collect();
            let ratio = ratios(&apart, &here);
            let who = format!("{threads} threads");
            report.keep(PART, &format!("{who}, here"), what, &here);
            report.keep(PART, &format!("{who}, in children"), what, &apart);
            report.keep(PART, &format!("{who}, children / here"), what, &ratio);
            let cells = [spread(&here, 3), spread(&apart, 3), spread(&ratio, 2)];
            table.row([threads.to_string()].into_iter().chain(cells));
        }
    }
    report.show(&times);
    report.show(&costs);
}

fn decoder(isolation: Isolation, threads: usize) -> Decoder {
    let children = NonZeroUsize::new(threads).expect("a thread");
    let settings = DecoderSettings::new(isolation);
    Decoder::start(&settings, ImageLimits::default(), children).expect("a decoder")
}

fn cost(decoder: &Decoder, pictures: &[Bytes], threads: usize, length: Duration) -> Cost {
    let next = AtomicUsize::new(0);
    let own = [std::process::id()];
    let (started, before) = (Instant::now(), processor_seconds(&own));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while started.elapsed() < length {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let picture = &pictures[number % pictures.len()];
                    decoder.frame(picture, &FRAMING).expect("a picture");
                }
            });
        }
    });
    let (done, took) = (next.into_inner() as f64, started.elapsed().as_secs_f64());
    Cost {
        thread_ms: took * 1e3 * threads as f64 / done,
        processor_ms: (processor_seconds(&own) - before) * 1e3 / done,
    }
}
