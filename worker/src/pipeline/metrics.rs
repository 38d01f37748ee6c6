//! What the stages report.

use std::time::Duration;

use aisle_shared::domain::{ItemOutcome, JobStatus, ModelCard, ModelName, Timestamp};
use aisle_shared::telemetry::names;

/// Reports for one model.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    model: String,
}

impl Metrics {
    pub(super) const fn new(model: String) -> Self {
        Self { model }
    }

    /// An item was claimed that long after its job was submitted.
    pub(super) fn claimed(&self, waited: Duration) {
        self.seconds(names::JOB_QUEUE_SECONDS, waited);
    }

    pub(super) fn fetched(&self, took: Duration) {
        self.seconds(names::FETCH_SECONDS, took);
    }

    pub(super) fn decoded(&self, took: Duration) {
        self.seconds(names::DECODE_SECONDS, took);
    }

    pub(super) fn preprocessed(&self, took: Duration) {
        self.seconds(names::PREPROCESS_SECONDS, took);
    }

    pub(super) fn postprocessed(&self, took: Duration) {
        self.seconds(names::POSTPROCESS_SECONDS, took);
    }

    #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
    pub(super) fn inferred(&self, took: Duration, batch: usize) {
        self.seconds(names::INFERENCE_SECONDS, took);
        metrics::histogram!(names::BATCH_SIZE, "model" => self.model.clone()).record(batch as f64);
    }

    pub(super) fn batch_cut(&self, reason: &'static str) {
        metrics::counter!(names::BATCH_CUT_TOTAL, "model" => self.model.clone(), "reason" => reason)
            .increment(1);
    }

    fn seconds(&self, name: &'static str, took: Duration) {
        metrics::histogram!(name, "model" => self.model.clone()).record(took);
    }
}

/// Counts an item that ended.
pub(super) fn item_finished(model: &str, outcome: &ItemOutcome) {
    let (status, code) = match outcome {
        ItemOutcome::Succeeded(_) => ("succeeded", ""),
        ItemOutcome::Failed(error) => ("failed", error.code.as_str()),
        ItemOutcome::Canceled => ("canceled", ""),
    };
    metrics::counter!(
        names::ITEMS_FINISHED_TOTAL,
        "model" => model.to_owned(), "status" => status, "reason" => code
    )
    .increment(1);
}

/// Counts a job whose last item ended here.
pub(super) fn job_finished(model: &ModelName, created_at: Timestamp, status: JobStatus) {
    let (model, status) = (model.to_string(), status.as_str());
    metrics::counter!(names::JOBS_FINISHED_TOTAL, "model" => model.clone(), "status" => status)
        .increment(1);
    metrics::histogram!(names::JOB_DURATION_SECONDS, "model" => model)
        .record(Timestamp::now().since(created_at));
}

/// Counts an item whose attempts are spent.
pub(super) fn dead_letter() {
    metrics::counter!(names::DEAD_LETTER_TOTAL).increment(1);
}

/// Shows which model is served, and how it is run.
pub(super) fn serves(card: &ModelCard) {
    let ModelCard { name, version, provider, precision, .. } = card;
    metrics::gauge!(
        names::MODEL_INFO,
        "model" => name.to_string(), "version" => version.clone(),
        "provider" => provider.clone(), "precision" => precision.clone()
    )
    .set(1.0);
}
