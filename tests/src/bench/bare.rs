//! The bare limit: pictures decoded, resized and run through the network in
//! this process, with everything in memory and nothing around it.
//!
//! Which arrangement of threads is best depends on the machine and the
//! network, so a few are tried and the best is the limit.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aisle_shared::domain::Prediction;
use aisle_worker::decoder::{DecoderSettings, Isolation};
use aisle_worker::tune::TuningSettings;
use aisle_worker::{Classifier, ClassifierSettings, Question};
use bytes::Bytes;

use super::machine::processors;
use super::processes::own_seconds;
use super::stats::Summary;
use crate::places::runtime_library;

/// Predictions for each picture: what the service gives by default.
const TOP_K: u32 = 5;
/// Rounds in which the arrangements are tried.
const TRIALS: usize = 3;

/// What one measurement found.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Pictures a second.
    pub rate: f64,
    /// Milliseconds of processor time for each.
    pub processor_ms: f64,
}

/// An arrangement of threads that share the pictures among them.
#[derive(Debug)]
pub struct Bare {
    /// What it is, for people.
    pub name: String,
    classifiers: Vec<Classifier>,
    at_once: usize,
}

impl Bare {
    /// So many networks, each with so many threads and given so many
    /// pictures at once.
    ///
    /// # Panics
    /// When the network cannot be loaded.
    #[must_use]
    pub fn new(model: PathBuf, networks: usize, threads: usize, at_once: usize) -> Self {
        let decoder = DecoderSettings::new(Isolation::Here);
        // The CPU provider is the default, so nothing is tried or remembered.
        let tuning = TuningSettings::here(std::env::temp_dir());
        let mut settings = ClassifierSettings::new(model, runtime_library(), decoder, tuning);
        settings.threads = NonZeroUsize::new(threads).expect("a thread");
        if at_once == 1 {
            // Threads that share one picture spin while they wait for each other.
            settings.max_batch = NonZeroUsize::MIN;
        }
        let load = |_| Classifier::load(&settings).expect("a network");
        let name = format!("networks × threads: {networks} × {threads}, {at_once} at once");
        Self { name, classifiers: (0..networks).map(load).collect(), at_once }
    }

    /// The arrangement that takes most pictures a second, of those worth
    /// trying; and what each came to.
    #[must_use]
    pub fn best(
        model: &std::path::Path,
        pictures: &[Bytes],
        length: Duration,
    ) -> (Self, Vec<(String, Vec<f64>)>) {
        let cores = processors();
        let worth_trying = [(1, cores, 64), (cores, 1, 8), (cores, 1, 1)];
        let mut tried: Vec<(Self, Vec<f64>)> = worth_trying
            .map(|(networks, threads, at_once)| {
                (Self::new(model.to_owned(), networks, threads, at_once), Vec::new())
            })
            .into();
        for _ in 0..TRIALS {
            for (bare, rates) in &mut tried {
                rates.push(bare.saturated(pictures, length).rate);
            }
        }
        let all = tried.iter().map(|(bare, rates)| (bare.name.clone(), rates.clone())).collect();
        let median = |rates: &[f64]| Summary::of(rates).map_or(0.0, |summary| summary.median);
        tried.sort_by(|a, b| median(&b.1).total_cmp(&median(&a.1)));
        (tried.swap_remove(0).0, all)
    }

    /// Takes pictures on all threads for a while.
    ///
    /// # Panics
    /// When a picture cannot be classified.
    pub fn saturated(&mut self, pictures: &[Bytes], length: Duration) -> Pace {
        let (next, at_once) = (AtomicUsize::new(0), self.at_once);
        let (started, before) = (Instant::now(), own_seconds());
        std::thread::scope(|scope| {
            for classifier in &mut self.classifiers {
                scope.spawn(|| {
                    while started.elapsed() < length {
                        let first = next.fetch_add(at_once, Ordering::Relaxed);
                        let part = (first..first + at_once).map(|i| &pictures[i % pictures.len()]);
                        classify(classifier, &part.cloned().collect::<Vec<_>>());
                    }
                });
            }
        });
        let done = next.into_inner() as f64;
        Pace {
            rate: done / started.elapsed().as_secs_f64(),
            processor_ms: (own_seconds() - before) * 1e3 / done,
        }
    }

    /// Milliseconds from a picture to its answer, one after the other.
    pub fn one_by_one(&mut self, pictures: &[Bytes], length: Duration) -> Vec<f64> {
        let started = Instant::now();
        let mut times = Vec::new();
        for picture in pictures.iter().cycle().take_while(|_| started.elapsed() < length) {
            let began = Instant::now();
            classify(&mut self.classifiers[0], std::slice::from_ref(picture));
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        times
    }

    /// The best category of each picture.
    pub fn labels(&mut self, pictures: &[Bytes]) -> Vec<String> {
        self.best_of(pictures).into_iter().map(|best| best.label).collect()
    }

    /// The best category of each picture, with its score.
    pub fn best_of(&mut self, pictures: &[Bytes]) -> Vec<Prediction> {
        classify(&mut self.classifiers[0], pictures)
    }
}

fn classify(classifier: &mut Classifier, pictures: &[Bytes]) -> Vec<Prediction> {
    let answers = classifier.classify(pictures, Question::best(TOP_K));
    let best = answers.into_iter().map(|answer| {
        let answer = answer.expect("every picture is classified");
        answer.predictions[0].clone()
    });
    best.collect()
}
