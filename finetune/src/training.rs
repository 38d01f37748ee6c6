//! Epoch after epoch, until nothing improves any more.

use aisle_train::head::judge;
use aisle_train::random::generator;
use aisle_train::road::tuning::{Epoch, Rules};
use aisle_train::watch::Watcher;
use rand::seq::SliceRandom as _;

use crate::TuneError;
use crate::checkpoint::{Best, Checkpoint};
use crate::judge::Judge;
use crate::learner::{Batch, Learner};
use crate::schedule;
use crate::source::Source;
use crate::targets::{Targets, mixed};
use crate::watching::Watching;

/// A training on its way.
pub(crate) struct Training<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) learner: Learner,
    pub(crate) source: Source,
    pub(crate) targets: Targets,
    pub(crate) judge: Judge<'a>,
    pub(crate) checkpoint: &'a Checkpoint,
    /// Of all that was chosen: a training of other choices is not gone on with.
    pub(crate) digest: String,
    /// What each epoch brought.
    pub(crate) done: Vec<Epoch>,
    pub(crate) best: Best,
}

impl Training<'_> {
    /// Learns until it is over; the learner then has the best weights.
    pub(crate) fn run(
        &mut self,
        watcher: &dyn Watcher,
        watching: &mut Watching<'_>,
    ) -> Result<(), TuneError> {
        if self.done.is_empty() {
            self.note(Found { loss: 0.0, train_top_1: 0.0, rate: 0.0 }, watching)?;
        }
        while !schedule::is_over(self.rules, &self.done) {
            let found = self.epoch(self.done.len(), watcher)?;
            self.note(found, watching)?;
        }
        let Best { average, statistics } = self.best.clone();
        self.learner.take(average, statistics);
        Ok(())
    }

    fn epoch(&mut self, number: usize, watcher: &dyn Watcher) -> Result<Found, TuneError> {
        self.source.begin(number, watcher)?;
        let rules = self.rules;
        let mut order: Vec<usize> = (0..self.source.pictures).collect();
        order.shuffle(&mut generator(rules.seed, "order", [number, 0]));
        let batches = order.len() / rules.batch.min(order.len()).max(1);
        let (mut loss, mut right, mut seen, mut rate) = (0.0, 0, 0, 0.0);
        watcher.begin(&format!("epoch {number}"), batches);
        // What is left over is too little for a step; another order leaves
        // others over.
        for places in order.chunks_exact(rules.batch.min(order.len()).max(1)) {
            rate = schedule::rate(rules, self.learner.steps, batches, &self.done);
            let purpose = [number, self.learner.steps];
            let mixed = mixed(rules.mix_up, &mut generator(rules.seed, "mix", purpose));
            let batch = Batch {
                values: self.source.batch(number, places)?,
                targets: self.targets.of(places, mixed),
                labels: self.targets.labels(places),
                mixed,
            };
            let found = self.learner.step(&batch, rate)?;
            loss += found.loss;
            right += found.right;
            seen += places.len();
            watcher.advance(1);
        }
        watcher.end();
        let [batches, right, seen] = [batches, right, seen].map(float);
        Ok(Found { loss: loss / batches.max(1.0), train_top_1: right / seen.max(1.0), rate })
    }

    /// Judges what an epoch brought, and keeps it.
    fn note(&mut self, found: Found, watching: &mut Watching<'_>) -> Result<(), TuneError> {
        let logits = self.judge.logits(&self.learner)?;
        let (log_loss, top_1) = judge(&logits.view(), self.judge.labels);
        let Found { loss, train_top_1, rate } = found;
        let number = self.done.len();
        let epoch =
            Epoch { epoch: number, learning_rate: rate, loss, train_top_1, log_loss, top_1 };
        self.done.push(epoch);
        if schedule::best(&self.done).is_some_and(|best| best.epoch == number) {
            let average = self.learner.average.clone();
            self.best = Best { average, statistics: self.learner.statistics() };
        }
        self.checkpoint.write(&self.digest, &self.learner, &self.done, &self.best)?;
        watching.epoch(self, &epoch, &logits.view())
    }
}

/// What an epoch found out about what it learned from.
#[derive(Debug, Clone, Copy)]
struct Found {
    loss: f64,
    train_top_1: f64,
    /// The learning rate at its end.
    rate: f64,
}

#[expect(clippy::cast_precision_loss, reason = "counts of pictures are far below 2^52")]
const fn float(number: usize) -> f64 {
    number as f64
}
