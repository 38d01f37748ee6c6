//! The stage that runs the network, on threads of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aisle_shared::domain::{ImageInfo, ItemError, StageTimings};
use aisle_shared::telemetry::{Span, SpanKind};
use aisle_shared::vitals::{Hindrance, LaneVitals};
use tokio::sync::mpsc::Sender;

use super::ending::{Ended, Ending};
use super::metrics::Metrics;
use super::pace::{Begin, Pace};
use super::prepare::Prepared;
use super::ready::{Batch, Counted, Next, Ready, Taker};
use super::work::Work;
use crate::error::WorkerError;
use crate::memory::Resident;
use crate::network::Replica;
use crate::plan::Plan;

/// Between two tries of loading a network that cannot be loaded.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// How long a replica stays in memory without work.
const IDLE: Duration = Duration::from_secs(60);

/// A thread of a model's network.
#[derive(Debug, Clone)]
pub(super) struct NetworkThread {
    pub(super) network: Arc<Resident>,
    pub(super) plan: Arc<Plan>,
    pub(super) ready: Ready<Prepared>,
    pub(super) answered: Sender<Answered>,
    pub(super) record: Sender<Ended>,
    pub(super) metrics: Metrics,
    pub(super) vitals: LaneVitals,
    /// Why the network cannot be loaded, which nothing is claimed for then.
    pub(super) trouble: Hindrance,
}

/// An item with what the network said.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) work: Work,
    pub(super) logits: Result<Vec<f32>, ItemError>,
    pub(super) batch_size: u32,
    pub(super) image: ImageInfo,
    pub(super) timings: StageTimings,
}

/// What a thread runs batches in.
enum Runner<'a> {
    First(&'a Resident),
    Replica(&'a mut Replica),
}

impl Runner<'_> {
    /// The largest batch that this many images fill, at least 1.
    fn largest_batch(&self, images: usize) -> usize {
        match self {
            Self::First(network) => network.largest_batch(images),
            Self::Replica(replica) => replica.largest_batch(images),
        }
    }

    /// Makes it ready to run.
    fn bring(&self) -> Result<(), WorkerError> {
        match self {
            Self::First(network) => network.bring(),
            Self::Replica(_) => Ok(()),
        }
    }

    /// Each image's logits.
    fn run(&mut self, images: &[&[f32]]) -> Result<Vec<Result<Vec<f32>, ItemError>>, WorkerError> {
        match self {
            Self::First(network) => network.run(|network| network.run(images)),
            Self::Replica(replica) => Ok(replica.run(images)),
        }
    }
}

impl NetworkThread {
    /// Runs batches in the session on all processors, until no stage before it is
    /// left and all that is ready has run.
    pub(super) fn run_first(self, _taker: Counted<Prepared>) {
        let network = Arc::clone(&self.network);
        let mut pace = Pace::of(network.batch_sizes(), Begin::of(&self.plan.in_one()));
        let mut runner = Runner::First(&network);
        loop {
            match self.ready.next(Taker::First, &mut pace, TRY_AGAIN) {
                Next::Batch(batch) => self.run_batch(&mut runner, batch, &mut pace),
                Next::Nothing => self.try_again(),
                Next::Over => break,
            }
        }
    }

    /// Runs batches in a replica, which is in memory while there is work for it.
    pub(super) fn run_replica(self, _taker: Counted<Prepared>) {
        while self.ready.is_pressed() {
            match self.network.replica() {
                Ok(replica) => self.run_in(replica),
                Err(error) => {
                    tracing::warn!(model = self.metrics.model(), %error, "no replica of the network");
                    self.ready.pause(TRY_AGAIN);
                }
            }
        }
    }

    fn run_in(&self, mut replica: Replica) {
        let _loaded = self.ready.loaded();
        self.metrics.replicas(1.0);
        let mut pace = Pace::of(replica.batch_sizes(), Begin::of(&self.plan));
        let mut runner = Runner::Replica(&mut replica);
        while let Next::Batch(batch) = self.ready.next(Taker::Replica, &mut pace, IDLE) {
            self.run_batch(&mut runner, batch, &mut pace);
        }
        self.metrics.replicas(-1.0);
    }

    /// Where the network cannot be loaded, no items may come, and it is tried again.
    fn try_again(&self) {
        if self.trouble.get().is_some() {
            match self.network.bring() {
                Ok(()) => self.trouble.clear(),
                Err(error) => self.trouble.set(error.to_string()),
            }
        }
    }

    /// Gives items back whose network cannot be loaded: another worker may have
    /// it, or this one later.
    fn give_back(&self, batch: Vec<Prepared>, error: &WorkerError) {
        tracing::error!(
            model = self.metrics.model(), items = batch.len(), %error, "the network cannot be run"
        );
        self.trouble.set(error.to_string());
        for item in batch {
            // The recorder ends after this thread, so the item gets there.
            drop(self.record.blocking_send(*Ended::new(item.work, Ending::Release)));
        }
    }

    fn run_batch(&self, runner: &mut Runner<'_>, batch: Batch<Prepared>, pace: &mut Pace) {
        let Batch { images, reason, running } = batch;
        self.metrics.batch_cut(reason.as_str());
        let mut wanted = self.still_wanted(images);
        // Items that left on the way may leave a number that is no batch size.
        while !wanted.is_empty() {
            let size = runner.largest_batch(wanted.len());
            let rest = wanted.split_off(size.min(wanted.len()));
            if let Some(took) = self.answer(runner, wanted) {
                pace.ran(size, took);
            }
            wanted = rest;
        }
        drop(running);
    }

    fn still_wanted(&self, batch: Vec<Prepared>) -> Vec<Prepared> {
        let mut wanted = Vec::with_capacity(batch.len());
        for prepared in batch {
            let Prepared { work, tensor, image, timings, since } = prepared;
            match work.still_wanted() {
                Ok(work) => wanted.push(Prepared { work, tensor, image, timings, since }),
                // The recorder ends after this thread, so the item gets there.
                Err(ended) => drop(self.record.blocking_send(*ended)),
            }
        }
        wanted
    }

    /// The batch as a trace of its own, with a link to each of its items: what
    /// one item waited for lies in the traces of the others.
    fn span_of(&self, batch: &[Prepared]) -> Span {
        let name = || format!("batch {}", self.metrics.model());
        let items = batch.iter().map(|item| &item.work.trace);
        let mut span = Span::linked(SpanKind::Consumer, name, items);
        if span.is_recording() {
            span.set("messaging.system", "aisle");
            span.set("messaging.operation.name", "batch");
            span.set("messaging.operation.type", "process");
            span.set("messaging.destination.name", self.metrics.model().to_owned());
            span.set("messaging.batch.message_count", i64::try_from(batch.len()).unwrap_or(0));
        }
        span
    }

    /// Runs a batch, and tells how long that took, if it could be run.
    fn answer(&self, runner: &mut Runner<'_>, batch: Vec<Prepared>) -> Option<Duration> {
        let runs = self.vitals.runs();
        if let Err(error) = runner.bring() {
            drop(runs);
            self.give_back(batch, &error);
            return None;
        }
        let begun = Instant::now();
        let mut span = self.span_of(&batch);
        let start = Instant::now();
        let tensors: Vec<&[f32]> = batch.iter().map(|item| item.tensor.as_slice()).collect();
        let ran = runner.run(&tensors);
        drop(runs);
        let logits = match ran {
            Ok(logits) => logits,
            Err(error) => {
                self.give_back(batch, &error);
                return None;
            }
        };
        let end = Instant::now();
        let took = end.duration_since(start);
        if logits.iter().any(Result::is_err) {
            span.fail("inference_failed");
        }
        self.metrics.inferred(took, batch.len());
        let batch_size = u32::try_from(batch.len()).unwrap_or(u32::MAX);
        for (item, logits) in batch.into_iter().zip(logits) {
            let Prepared { mut work, image, timings, since, .. } = item;
            self.metrics.waited_for_network(start.duration_since(since));
            work.trace.link(&span);
            work.trace.stage("wait for the network", since, start);
            work.trace.stage("network", start, end);
            let timings = StageTimings {
                batch_ms: start.duration_since(since).as_secs_f32() * 1000.0,
                inference_ms: took.as_secs_f32() * 1000.0,
                ..timings
            };
            let answered = Answered { work, logits, batch_size, image, timings };
            // The next stage ends after this thread, so the item gets there.
            drop(self.answered.blocking_send(answered));
        }
        Some(begun.elapsed())
    }
}
