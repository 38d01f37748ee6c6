//! Logs, metrics and traces: how a process says what it does. Set up once by the
//! binary; everything else only reports.
//!
//! What must never happen: a secret, a URL's query or an image's content in a
//! log, an id or a URL as a metric's label.

mod gauges;
mod logging;
mod metrics;
pub mod names;
mod traces;

pub use gauges::StoreGauges;
pub use logging::{LogFormat, init_logging};
pub use metrics::{MetricsHandle, install_metrics, metrics_recorder};
pub use traces::{Kind as SpanKind, Span, TraceSettings, TracesHandle, init_traces};

/// Why logs, metrics or traces could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log filter cannot be read.
    #[error("the log filter cannot be read: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The process logs already.
    #[error("logs are set up already")]
    LogsInPlace(#[from] tracing_subscriber::util::TryInitError),
    /// The process keeps metrics already.
    #[error("metrics are kept already")]
    MetricsInPlace,
    /// The metrics are badly described.
    #[error("metrics cannot be kept: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The process traces already.
    #[error("traces are set up already")]
    TracesInPlace,
    /// Spans cannot be sent.
    #[error("traces cannot be sent: {0}")]
    Traces(String),
}
