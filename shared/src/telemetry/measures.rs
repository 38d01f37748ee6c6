//! Metrics in Prometheus' text format.

use std::time::Duration;

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds of the buckets of everything measured in seconds: from half a
/// millisecond for a stage of the worker to a minute for a waiting request.
const SECONDS: [f64; 16] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0,
];

/// Upper bounds of the buckets of batch sizes.
const BATCH_SIZES: [f64; 7] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// How often measured values are moved into their buckets, so that they do
/// not pile up while nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

/// Why metrics were not set up.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The recorder was refused.
    #[error("metrics cannot be recorded: {0}")]
    Recorder(#[from] BuildError),
    /// There is no thread for their upkeep.
    #[error("no thread for the upkeep of metrics: {0}")]
    Thread(#[from] std::io::Error),
}

/// What the process has measured so far. Clones are the same.
#[derive(Clone)]
pub struct MetricsHandle(PrometheusHandle);

impl MetricsHandle {
    /// Everything measured, in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.render()
    }
}

/// Begins to measure, for the whole process.
///
/// # Errors
/// When something measures already.
pub fn install_metrics() -> Result<MetricsHandle, MetricsError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Full("aisle_batch_size".to_owned()), &BATCH_SIZES)?
        .install_recorder()?;
    describe();
    let upkeep = handle.clone();
    std::thread::Builder::new().name("metrics".to_owned()).spawn(move || {
        loop {
            std::thread::park_timeout(UPKEEP);
            upkeep.run_upkeep();
        }
    })?;
    Ok(MetricsHandle(handle))
}

/// Says what each metric means.
fn describe() {
    describe_histogram!(
        "aisle_http_request_duration_seconds",
        "From the request's head to the answer's, by route."
    );
    describe_counter!("aisle_jobs_submitted_total", "Jobs that were acknowledged.");
    describe_counter!("aisle_items_finished_total", "Images that this worker ended, by outcome.");
    describe_counter!(
        "aisle_leases_expired_total",
        "Items taken back from workers that fell silent."
    );
    describe_counter!("aisle_dead_letter_total", "Items given up because their workers died.");
    describe_counter!("aisle_jobs_swept_total", "Jobs removed, by reason.");
    describe_histogram!("aisle_fetch_seconds", "Reading an image's bytes.");
    describe_histogram!("aisle_decode_seconds", "Decoding an image.");
    describe_histogram!("aisle_preprocess_seconds", "Resizing and normalising an image.");
    describe_histogram!("aisle_inference_seconds", "Running the network on a batch.");
    describe_histogram!("aisle_postprocess_seconds", "Ranking a batch's categories.");
    describe_histogram!("aisle_batch_size", "Images that shared a run of the network.");
    describe_counter!("aisle_batch_cut_total", "Batches, by what cut them.");
    describe_gauge!("aisle_store_up", "1 while the store answers.");
    describe_gauge!("aisle_queue_depth", "Items that wait for a claim, by model and priority.");
    describe_gauge!("aisle_queue_oldest_age_seconds", "Age of the item that has waited longest.");
    describe_gauge!("aisle_queue_pending", "Items held by workers.");
    describe_gauge!("aisle_queue_delayed", "Items that will be tried again later.");
    describe_gauge!("aisle_queue_live", "Items that have not ended.");
    describe_gauge!("aisle_dead_letters", "Dead letters kept.");
    describe_gauge!("aisle_model_workers", "Living workers that serve a model.");
    describe_gauge!(
        "aisle_backlog_without_capacity",
        "1 while items wait for a model nobody serves."
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_rendered_in_buckets() {
        let handle = install_metrics().unwrap();
        metrics::histogram!("aisle_decode_seconds").record(Duration::from_millis(2));
        metrics::histogram!("aisle_batch_size").record(8.0);
        let text = handle.render();
        assert!(text.contains("aisle_decode_seconds_bucket{le=\"0.001\"} 0"), "{text}");
        assert!(text.contains("aisle_decode_seconds_bucket{le=\"0.0025\"} 1"), "{text}");
        assert!(text.contains("aisle_batch_size_bucket{le=\"4\"} 0"), "{text}");
        assert!(install_metrics().is_err(), "a second recorder would measure nothing");
    }
}
