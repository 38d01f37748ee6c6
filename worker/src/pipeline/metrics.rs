//! What a worker reports of its models, jobs and items.

use std::time::Duration;

use aisle_shared::domain::{ErrorCode, ItemOutcome, ModelCard, ModelName, Timestamp};
use aisle_shared::telemetry::names;

use super::work::Work;

/// Reports for one model.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    model: String,
}

impl Metrics {
    /// Reports for the model of that card, and that this version is served.
    pub(super) fn new(card: &ModelCard) -> Self {
        info(card, 1.0);
        trouble(card.name.as_str(), false);
        let metrics = Self { model: card.name.to_string() };
        metrics.replicas(0.0);
        metrics
    }

    /// The version of that card is no longer served.
    pub(super) fn no_longer_served(&self, card: &ModelCard) {
        info(card, 0.0);
    }

    /// The model that is reported for.
    pub(super) fn model(&self) -> &str {
        &self.model
    }

    /// An item was claimed whose job was submitted then.
    pub(super) fn claimed(&self, created_at: Timestamp) {
        self.seconds(names::JOB_QUEUE_SECONDS, Timestamp::now().since(created_at));
    }

    pub(super) fn fetched(&self, took: Duration) {
        self.seconds(names::FETCH_SECONDS, took);
    }

    /// A picture was looked for among the answers that are kept.
    pub(super) fn looked_up(&self, result: &'static str) {
        let model = self.model.clone();
        metrics::counter!(names::CACHE_LOOKUPS_TOTAL, "model" => model, "result" => result)
            .increment(1);
    }

    pub(super) fn decoded(&self, took: Duration) {
        self.seconds(names::DECODE_SECONDS, took);
    }

    pub(super) fn preprocessed(&self, took: Duration) {
        self.seconds(names::PREPROCESS_SECONDS, took);
    }

    pub(super) fn waited_for_network(&self, took: Duration) {
        self.seconds(names::BATCH_WAIT_SECONDS, took);
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
        let model = self.model.clone();
        metrics::counter!(names::BATCH_CUT_TOTAL, "model" => model, "reason" => reason)
            .increment(1);
    }

    /// So many more replicas are in memory.
    pub(super) fn replicas(&self, more: f64) {
        metrics::gauge!(names::MODEL_REPLICAS, "model" => self.model.clone()).increment(more);
    }

    fn seconds(&self, name: &'static str, took: Duration) {
        metrics::histogram!(name, "model" => self.model.clone()).record(took);
    }
}

fn info(card: &ModelCard, served: f64) {
    metrics::gauge!(
        names::MODEL_INFO,
        "model" => card.name.to_string(), "version" => card.version.clone(),
        "provider" => card.provider.clone(), "precision" => card.precision.clone()
    )
    .set(served);
}

/// Whether what a model's folder holds is not served.
pub(super) fn trouble(model: &str, is: bool) {
    metrics::gauge!(names::MODEL_TROUBLE, "model" => model.to_owned()).set(f64::from(u8::from(is)));
}

/// Counts items that ended because their model was taken away.
pub(super) fn forsaken(model: &ModelName, items: usize) {
    let code = ErrorCode::ModelRemoved.as_str();
    metrics::counter!(
        names::ITEMS_FINISHED_TOTAL,
        "model" => model.to_string(), "status" => "failed", "reason" => code
    )
    .increment(u64::try_from(items).unwrap_or(u64::MAX));
}

/// Counts and times an item that ended. Its job the store counts, which knows
/// every way in which one ends.
pub(super) fn ended(work: &Work, outcome: &ItemOutcome) {
    let (status, code) = match outcome {
        ItemOutcome::Succeeded(_) => ("succeeded", ""),
        ItemOutcome::Failed(error) => ("failed", error.code.as_str()),
        ItemOutcome::Canceled => ("canceled", ""),
    };
    let model = work.model.to_string();
    if let ItemOutcome::Succeeded(answer) = outcome
        && let Some(decision) = &answer.decision
    {
        metrics::counter!(
            names::DECISIONS_TOTAL,
            "model" => model.clone(), "decision" => decision.accepted.as_str()
        )
        .increment(1);
    }
    metrics::counter!(
        names::ITEMS_FINISHED_TOTAL,
        "model" => model.clone(), "status" => status, "reason" => code
    )
    .increment(1);
    metrics::histogram!(names::ITEM_DURATION_SECONDS, "model" => model)
        .record(Timestamp::now().since(work.created_at));
}

/// Times a call that recorded outcomes.
pub(super) fn recorded(took: Duration) {
    metrics::histogram!(names::RECORD_SECONDS).record(took);
}

/// Times a look-up for many pictures.
pub(super) fn recalled(took: Duration) {
    metrics::histogram!(names::CACHE_LOOKUP_SECONDS).record(took);
}

/// Counts an item that ended as a dead letter.
pub(super) fn dead_letter() {
    metrics::counter!(names::DEAD_LETTER_TOTAL).increment(1);
}

#[cfg(test)]
mod tests {
    use aisle_shared::domain::Activation;
    use aisle_shared::telemetry::metrics_recorder;

    use super::*;

    #[test]
    fn a_model_is_shown_as_served_and_its_items_with_the_time_they_waited() {
        let card = ModelCard {
            name: "flowers".parse().unwrap(),
            version: "v1".to_owned(),
            labels: Vec::new(),
            input_size: [224, 224],
            activation: Activation::Softmax,
            provider: "cpu".to_owned(),
            precision: "fp32".to_owned(),
            accept: Vec::new(),
            trouble: None,
        };
        let (recorder, handle) = metrics_recorder().unwrap();
        metrics::with_local_recorder(&recorder, || {
            Metrics::new(&card).claimed(Timestamp(Timestamp::now().0 - 90_000));
        });
        let shown = handle.render();
        let value = |series: &str| -> f64 {
            let line = shown.lines().find_map(|line| line.strip_prefix(series));
            line.unwrap_or_else(|| panic!("{series}\n{shown}")).trim().parse().unwrap()
        };
        let labels = r#"model="flowers",precision="fp32",provider="cpu",version="v1""#;
        assert!(value(&format!("aisle_model_info{{{labels}}}")) > 0.0);
        assert!(value(r#"aisle_job_queue_seconds_sum{model="flowers"}"#) >= 90.0);
    }
}
