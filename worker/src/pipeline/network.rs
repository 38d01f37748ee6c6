//! The stage that runs the network, on a thread of its own.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use aisle_shared::domain::{ImageInfo, ItemError, StageTimings};
use aisle_shared::telemetry::{Span, SpanKind};
use aisle_shared::vitals::{Hindrance, LaneVitals};
use tokio::sync::mpsc::Sender;

use super::batch::{Cut, Moment, decide};
use super::ending::{Ended, Ending};
use super::metrics::Metrics;
use super::pace::Pace;
use super::prepare::Prepared;
use super::work::{Expected, Work};
use crate::error::WorkerError;
use crate::memory::Resident;

/// Between two tries of loading a network that cannot be loaded.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// The network's thread.
pub(super) struct NetworkThread {
    pub(super) network: Resident,
    pub(super) arrivals: Receiver<Prepared>,
    pub(super) expected: Expected,
    pub(super) batch_wait: Duration,
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

impl NetworkThread {
    /// Runs batches until no stage before it is left and all that is ready has run.
    pub(super) fn run(mut self) {
        let mut ready = VecDeque::new();
        let mut pace = Pace::of(self.network.batch_sizes());
        while let Some(size) = self.next_batch(&mut ready, &pace) {
            let size = pace.choose(size, ready.len());
            let batch = ready.drain(..size.min(ready.len())).collect();
            self.run_batch(batch, &mut pace);
        }
    }

    /// Waits for a batch and returns its size.
    fn next_batch(&mut self, ready: &mut VecDeque<Prepared>, pace: &Pace) -> Option<usize> {
        loop {
            ready.extend(self.arrivals.try_iter());
            let Some(oldest) = ready.front() else {
                ready.extend(self.first_arrival()?);
                continue;
            };
            let moment = Moment {
                sizes: pace.sizes(),
                ready: ready.len(),
                coming: self.expected.count(),
                waited: oldest.since.elapsed(),
                max_wait: self.batch_wait,
            };
            match decide(moment) {
                Cut::Now { size, reason } => {
                    self.metrics.batch_cut(reason.as_str());
                    return Some(size);
                }
                Cut::Wait(time) => match self.arrivals.recv_timeout(time) {
                    Ok(item) => ready.push_back(item),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => {
                        return Some(self.network.largest_batch(ready.len()));
                    }
                },
            }
        }
    }

    /// Waits for an item. Where the network cannot be loaded, none may come, and
    /// it is tried again.
    fn first_arrival(&self) -> Option<Option<Prepared>> {
        if self.trouble.get().is_none() {
            return self.arrivals.recv().ok().map(Some);
        }
        match self.arrivals.recv_timeout(TRY_AGAIN) {
            Ok(item) => Some(Some(item)),
            Err(RecvTimeoutError::Timeout) => {
                match self.network.bring() {
                    Ok(()) => self.trouble.clear(),
                    Err(error) => self.trouble.set(error.to_string()),
                }
                Some(None)
            }
            Err(RecvTimeoutError::Disconnected) => None,
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

    fn run_batch(&mut self, batch: Vec<Prepared>, pace: &mut Pace) {
        let mut wanted = self.still_wanted(batch);
        // Items that left on the way may leave a number that is no batch size.
        while !wanted.is_empty() {
            let size = self.network.largest_batch(wanted.len());
            let rest = wanted.split_off(size.min(wanted.len()));
            if let Some(took) = self.answer(wanted) {
                pace.ran(size, took);
            }
            wanted = rest;
        }
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
    fn answer(&mut self, batch: Vec<Prepared>) -> Option<Duration> {
        self.vitals.runs();
        if let Err(error) = self.network.bring() {
            self.vitals.rests();
            self.give_back(batch, &error);
            return None;
        }
        let begun = Instant::now();
        let mut span = self.span_of(&batch);
        let start = Instant::now();
        let tensors: Vec<&[f32]> = batch.iter().map(|item| item.tensor.as_slice()).collect();
        let ran = self.network.run(|network| network.run(&tensors));
        self.vitals.rests();
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
