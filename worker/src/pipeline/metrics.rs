//! The names under which the stages report.

use std::time::Duration;

use aisle_shared::domain::ItemOutcome;

const FETCH_SECONDS: &str = "aisle_fetch_seconds";
const DECODE_SECONDS: &str = "aisle_decode_seconds";
const PREPROCESS_SECONDS: &str = "aisle_preprocess_seconds";
const INFERENCE_SECONDS: &str = "aisle_inference_seconds";
const POSTPROCESS_SECONDS: &str = "aisle_postprocess_seconds";
const BATCH_SIZE: &str = "aisle_batch_size";
const BATCH_CUT_TOTAL: &str = "aisle_batch_cut_total";
const ITEMS_FINISHED_TOTAL: &str = "aisle_items_finished_total";

/// Reports for one model.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    model: String,
}

impl Metrics {
    pub(super) const fn new(model: String) -> Self {
        Self { model }
    }

    pub(super) fn fetched(&self, took: Duration) {
        self.seconds(FETCH_SECONDS, took);
    }

    pub(super) fn decoded(&self, took: Duration) {
        self.seconds(DECODE_SECONDS, took);
    }

    pub(super) fn preprocessed(&self, took: Duration) {
        self.seconds(PREPROCESS_SECONDS, took);
    }

    pub(super) fn postprocessed(&self, took: Duration) {
        self.seconds(POSTPROCESS_SECONDS, took);
    }

    #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
    pub(super) fn inferred(&self, took: Duration, batch: usize) {
        self.seconds(INFERENCE_SECONDS, took);
        metrics::histogram!(BATCH_SIZE, "model" => self.model.clone()).record(batch as f64);
    }

    pub(super) fn batch_cut(&self, reason: &'static str) {
        metrics::counter!(BATCH_CUT_TOTAL, "model" => self.model.clone(), "reason" => reason)
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
        ITEMS_FINISHED_TOTAL,
        "model" => model.to_owned(), "status" => status, "reason" => code
    )
    .increment(1);
}
