//! Every metric's name, what it says and how it is counted. Seconds and
//! bytes, never milliseconds; labels have few values, never an id or a URL.

/// How a metric counts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Only grows.
    Counter,
    /// A value as it stands.
    Gauge,
    /// Values sorted into buckets with these upper bounds.
    Histogram(&'static [f64]),
}

/// A metric as it is told to Prometheus.
#[derive(Debug, Clone, Copy)]
pub(super) struct Described {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
}

/// Answers to callers: the bounds of OpenTelemetry's HTTP conventions.
const HTTP: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Steps of a worker.
const STAGE: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Jobs of one image as well as catalogues of thousands.
const JOB: &[f64] =
    &[0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0];

/// Images of a batch.
const BATCH: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

macro_rules! metrics {
    ($($constant:ident = $name:literal, $kind:expr, $help:literal;)*) => {
        $(#[doc = $help] pub const $constant: &str = $name;)*

        /// Every metric.
        pub(super) const ALL: &[Described] =
            &[$(Described { name: $name, kind: $kind, help: $help }),*];
    };
}

metrics! {
    HTTP_REQUEST_DURATION_SECONDS = "aisle_http_request_duration_seconds", Kind::Histogram(HTTP),
        "Time from a request to its answer, by method, route and status.";
    JOBS_SUBMITTED_TOTAL = "aisle_jobs_submitted_total", Kind::Counter,
        "Jobs accepted, by model and source.";
    JOBS_FINISHED_TOTAL = "aisle_jobs_finished_total", Kind::Counter,
        "Jobs whose last item a worker ended, by model and status.";
    JOBS_EXPIRED_TOTAL = "aisle_jobs_expired_total", Kind::Counter,
        "Jobs forgotten after their retention.";
    JOBS_ABORTED_TOTAL = "aisle_jobs_aborted_total", Kind::Counter,
        "Large jobs given up because they were never completed by their submitter.";
    JOB_QUEUE_SECONDS = "aisle_job_queue_seconds", Kind::Histogram(JOB),
        "Time from a job's submission to the claim of an item of it, by model.";
    JOB_DURATION_SECONDS = "aisle_job_duration_seconds", Kind::Histogram(JOB),
        "Time from a job's submission to the end of its last item by a worker, by model.";
    ITEMS_FINISHED_TOTAL = "aisle_items_finished_total", Kind::Counter,
        "Items that ended, by model, status and reason.";
    QUEUE_DEPTH = "aisle_queue_depth", Kind::Gauge,
        "Items that wait for a worker, by lane: model/priority.";
    QUEUE_OLDEST_AGE_SECONDS = "aisle_queue_oldest_age_seconds", Kind::Gauge,
        "Age of the job of the item that has waited longest, by lane: model/priority.";
    QUEUE_RUNNING = "aisle_queue_running", Kind::Gauge,
        "Items held by workers.";
    QUEUE_DELAYED = "aisle_queue_delayed", Kind::Gauge,
        "Items to be tried again later.";
    QUEUE_LIVE = "aisle_queue_live", Kind::Gauge,
        "Items that have not ended.";
    DEAD_LETTERS = "aisle_dead_letters", Kind::Gauge,
        "Dead letters kept.";
    BACKLOG_WITHOUT_CAPACITY = "aisle_backlog_without_capacity", Kind::Gauge,
        "1 while items wait for a model that no worker serves.";
    STORE_UP = "aisle_store_up", Kind::Gauge,
        "1 while the store answers.";
    LEASES_EXPIRED_TOTAL = "aisle_leases_expired_total", Kind::Counter,
        "Items taken back from workers that stopped answering for them.";
    DEAD_LETTER_TOTAL = "aisle_dead_letter_total", Kind::Counter,
        "Items that ended because their attempts were spent or their workers died.";
    ORPHANS_REMOVED_TOTAL = "aisle_orphans_removed_total", Kind::Counter,
        "Uploads removed because their job never came to be.";
    UPKEEP_ERRORS_TOTAL = "aisle_upkeep_errors_total", Kind::Counter,
        "Rounds of upkeep that failed, by step.";
    FETCH_SECONDS = "aisle_fetch_seconds", Kind::Histogram(STAGE),
        "Time to read an image's bytes, by model.";
    DECODE_SECONDS = "aisle_decode_seconds", Kind::Histogram(STAGE),
        "Time to decode an image, by model.";
    DECODERS_REPLACED_TOTAL = "aisle_decoders_replaced_total", Kind::Counter,
        "Decoder processes that were replaced, by reason: crash, timeout or recycled.";
    PREPROCESS_SECONDS = "aisle_preprocess_seconds", Kind::Histogram(STAGE),
        "Time to resize and normalise an image, by model.";
    INFERENCE_SECONDS = "aisle_inference_seconds", Kind::Histogram(STAGE),
        "Time of the network for a batch, by model.";
    POSTPROCESS_SECONDS = "aisle_postprocess_seconds", Kind::Histogram(STAGE),
        "Time to turn a network's output into predictions, by model.";
    BATCH_SIZE = "aisle_batch_size", Kind::Histogram(BATCH),
        "Images of a batch, by model.";
    BATCH_CUT_TOTAL = "aisle_batch_cut_total", Kind::Counter,
        "Batches cut, by model and reason.";
    MODEL_INFO = "aisle_model_info", Kind::Gauge,
        "1 for each model served, by model, version, provider and precision.";
    MODEL_WORKERS = "aisle_model_workers", Kind::Gauge,
        "Workers that serve a model now.";
}
