//! Every metric's name, what it says and how it is counted. Seconds and
//! bytes, never milliseconds; labels have few values, never an id or a URL.

/// How a metric counts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Only grows.
    Counter,
    /// A value as it stands.
    Gauge,
    /// Values sorted into buckets with these upper bounds, by these labels.
    Histogram(&'static [f64], &'static [&'static str]),
}

/// A metric as it is told to Prometheus.
#[derive(Debug, Clone, Copy)]
pub struct Described {
    /// Its name.
    pub name: &'static str,
    pub(super) kind: Kind,
    /// What it says.
    pub help: &'static str,
}

impl Described {
    /// How it counts, as Prometheus names it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(..) => "histogram",
        }
    }
}

/// Every metric.
pub fn all() -> impl Iterator<Item = &'static Described> {
    ALL.iter()
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

/// Attempts to deliver a webhook, which end after 15 seconds.
const DELIVERY: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 20.0];

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
    HTTP_REQUEST_DURATION_SECONDS = "aisle_http_request_duration_seconds",
        Kind::Histogram(HTTP, &["method", "route", "status"]),
        "Time from a request to its answer, by method, route and status.";
    REFUSALS_TOTAL = "aisle_refusals_total", Kind::Counter,
        "Jobs refused that would be taken in at another time, by reason.";
    JOBS_SUBMITTED_TOTAL = "aisle_jobs_submitted_total", Kind::Counter,
        "Jobs accepted, by model and source.";
    JOBS_FINISHED_TOTAL = "aisle_jobs_finished_total", Kind::Counter,
        "Jobs that ended, however they did, by model and status.";
    JOBS_EXPIRED_TOTAL = "aisle_jobs_expired_total", Kind::Counter,
        "Jobs forgotten after their retention.";
    JOBS_ABORTED_TOTAL = "aisle_jobs_aborted_total", Kind::Counter,
        "Large jobs given up because they were never completed by their submitter.";
    JOB_QUEUE_SECONDS = "aisle_job_queue_seconds", Kind::Histogram(JOB, &["model"]),
        "Time from a job's submission to the claim of an item of it, by model.";
    JOB_DURATION_SECONDS = "aisle_job_duration_seconds", Kind::Histogram(JOB, &["model"]),
        "Time from a job's submission to its end, by model.";
    ITEMS_FINISHED_TOTAL = "aisle_items_finished_total", Kind::Counter,
        "Items that a worker ended, by model, status and reason.";
    DECISIONS_TOTAL = "aisle_decisions_total", Kind::Counter,
        "Answers by what of them is accepted, by model and decision: leaf, parent, or none (a \
         human has to look).";
    ITEM_DURATION_SECONDS = "aisle_item_duration_seconds", Kind::Histogram(JOB, &["model"]),
        "Time from the submission of an item's job to the item's record, by model.";
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
    UPKEEP_LAST_SUCCESS_TIMESTAMP_SECONDS = "aisle_upkeep_last_success_timestamp_seconds",
        Kind::Gauge,
        "When a step of upkeep last went well, in seconds since 1970, by step.";
    WORKER_LAST_CLAIM_TIMESTAMP_SECONDS = "aisle_worker_last_claim_timestamp_seconds", Kind::Gauge,
        "When the store last answered a claim, with items or none, in seconds since 1970, by model.";
    TRACE_EXPORT_ERRORS_TOTAL = "aisle_trace_export_errors_total", Kind::Counter,
        "Batches of spans that the trace collector did not take.";
    BUILD_INFO = "aisle_build_info", Kind::Gauge,
        "1, by the version that runs.";
    WEBHOOK_ATTEMPTS_TOTAL = "aisle_webhook_attempts_total", Kind::Counter,
        "Attempts to deliver a webhook, by result.";
    WEBHOOK_ATTEMPT_SECONDS = "aisle_webhook_attempt_seconds",
        Kind::Histogram(DELIVERY, &["result"]),
        "Time of an attempt to deliver a webhook, by result.";
    WEBHOOK_DELAY_SECONDS = "aisle_webhook_delay_seconds", Kind::Histogram(JOB, &[]),
        "Time from a job's end to the delivery of its webhook.";
    WEBHOOKS_IN_FLIGHT = "aisle_webhooks_in_flight", Kind::Gauge,
        "Webhooks that this process is delivering.";
    WEBHOOKS_PENDING = "aisle_webhooks_pending", Kind::Gauge,
        "Webhooks that were neither delivered nor given up.";
    WEBHOOKS_OVERDUE_SECONDS = "aisle_webhooks_overdue_seconds", Kind::Gauge,
        "Time that a webhook has been due and no sender has claimed it, though no cap held it back.";
    FETCH_SECONDS = "aisle_fetch_seconds", Kind::Histogram(STAGE, &["model"]),
        "Time to read an image's bytes, by model.";
    CACHE_LOOKUPS_TOTAL = "aisle_cache_lookups_total", Kind::Counter,
        "Pictures looked for in the cache, by model and result: hit, miss, shared (the same \
         picture was in work) or failed.";
    CACHE_LOOKUP_SECONDS = "aisle_cache_lookup_seconds", Kind::Histogram(STAGE, &[]),
        "Time of one look-up in the cache, for all pictures that wait for one.";
    CACHE_ENTRIES = "aisle_cache_entries", Kind::Gauge,
        "Answers kept in the cache.";
    DECODE_SECONDS = "aisle_decode_seconds", Kind::Histogram(STAGE, &["model"]),
        "Time to decode an image, by model.";
    DECODERS_REPLACED_TOTAL = "aisle_decoders_replaced_total", Kind::Counter,
        "Decoder processes that were replaced, by reason: crash, timeout or recycled.";
    PREPROCESS_SECONDS = "aisle_preprocess_seconds", Kind::Histogram(STAGE, &["model"]),
        "Time to resize and normalise an image, by model.";
    BATCH_WAIT_SECONDS = "aisle_batch_wait_seconds", Kind::Histogram(STAGE, &["model"]),
        "Time that a prepared image waits for the network, by model.";
    INFERENCE_SECONDS = "aisle_inference_seconds", Kind::Histogram(STAGE, &["model"]),
        "Time of the network for a batch, by model.";
    POSTPROCESS_SECONDS = "aisle_postprocess_seconds", Kind::Histogram(STAGE, &["model"]),
        "Time to turn a network's output into predictions, by model.";
    RECORD_SECONDS = "aisle_record_seconds", Kind::Histogram(STAGE, &[]),
        "Time of one call that records outcomes.";
    BATCH_SIZE = "aisle_batch_size", Kind::Histogram(BATCH, &["model"]),
        "Images of a batch, by model.";
    BATCH_CUT_TOTAL = "aisle_batch_cut_total", Kind::Counter,
        "Batches cut, by model and reason.";
    MODEL_INFO = "aisle_model_info", Kind::Gauge,
        "1 for each model served, by model, version, provider and precision.";
    MODEL_LOADS_TOTAL = "aisle_model_loads_total", Kind::Counter,
        "Times that a model was brought into memory, by model and result: loaded or failed.";
    MODEL_EVICTIONS_TOTAL = "aisle_model_evictions_total", Kind::Counter,
        "Networks dropped to make room for others, by model.";
    MODEL_MEMORY_BYTES = "aisle_model_memory_bytes", Kind::Gauge,
        "Memory that a model's network takes, 0 while it is not loaded, by model.";
    MODEL_REPLICAS = "aisle_model_replicas", Kind::Gauge,
        "Sessions in memory that run batches beside each other, 0 while one is enough, by model.";
    MODEL_TROUBLE = "aisle_model_trouble", Kind::Gauge,
        "1 while what a model's folder holds is not served, by model; the log says why.";
    MODEL_WORKERS = "aisle_model_workers", Kind::Gauge,
        "Workers that serve a model now.";
}
