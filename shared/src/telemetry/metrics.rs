//! Keeping metrics and showing them in Prometheus' text format.
//!
//! Each value goes into its bucket when it is recorded. A recorder that keeps
//! values until someone sorts them grows with what it is told, and the memory
//! of what was sorted comes back late.

use std::fmt;

use metrics_prometheus::Recorder;
use prometheus::{HistogramOpts, HistogramVec, Registry, TextEncoder};

use super::TelemetryError;
use super::names::{self, Described, Kind};

/// Shows the metrics kept so far. Clones show the same.
#[derive(Clone)]
pub struct MetricsHandle(Registry);

impl fmt::Debug for MetricsHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsHandle").finish_non_exhaustive()
    }
}

impl MetricsHandle {
    /// All metrics in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        let shown = TextEncoder::new().encode_to_string(&self.0.gather());
        shown.unwrap_or_else(|error| {
            tracing::error!(%error, "the metrics cannot be shown");
            String::new()
        })
    }
}

/// Keeps the metrics that this process reports from now on.
///
/// # Errors
/// When they are kept already.
pub fn install_metrics() -> Result<MetricsHandle, TelemetryError> {
    let (recorder, handle) = metrics_recorder()?;
    metrics::set_global_recorder(recorder).map_err(|_| TelemetryError::MetricsInPlace)?;
    metrics::gauge!(names::BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

/// What keeps metrics once it is told of them, and what shows these.
///
/// # Errors
/// When they are badly described.
pub fn metrics_recorder() -> Result<(Recorder, MetricsHandle), TelemetryError> {
    let registry = Registry::new();
    let mut builder = Recorder::builder().with_registry(&registry);
    for Described { name, kind, help } in names::ALL {
        if let Kind::Histogram(buckets, labels) = kind {
            let options = HistogramOpts::new(*name, *help).buckets(buckets.to_vec());
            builder = builder.try_with_metric(HistogramVec::new(options, labels)?)?;
        }
    }
    let recorder = builder.build();
    metrics::with_local_recorder(&recorder, describe);
    Ok((recorder, MetricsHandle(registry)))
}

fn describe() {
    for Described { name, kind, help } in names::ALL {
        match kind {
            Kind::Counter => metrics::describe_counter!(*name, *help),
            Kind::Gauge => metrics::describe_gauge!(*name, *help),
            Kind::Histogram(..) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// What is shown after `report`.
    fn shown(report: impl FnOnce()) -> String {
        let (recorder, handle) = metrics_recorder().unwrap();
        metrics::with_local_recorder(&recorder, report);
        handle.render()
    }

    #[test]
    fn metrics_are_shown_with_help_type_and_buckets_in_seconds() {
        let text = shown(|| {
            metrics::counter!(names::JOBS_SUBMITTED_TOTAL, "model" => "m").increment(2);
            metrics::histogram!(names::DECODE_SECONDS, "model" => "m").record(0.003);
        });
        for line in [
            "# HELP aisle_jobs_submitted_total Jobs accepted, by model and source.",
            "# TYPE aisle_jobs_submitted_total counter",
            "aisle_jobs_submitted_total{model=\"m\"} 2",
            "# TYPE aisle_decode_seconds histogram",
            "aisle_decode_seconds_bucket{model=\"m\",le=\"0.0025\"} 0",
            "aisle_decode_seconds_bucket{model=\"m\",le=\"0.005\"} 1",
            "aisle_decode_seconds_count{model=\"m\"} 1",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
        }
    }

    #[test]
    fn names_follow_the_conventions_and_differ() {
        let mut seen = HashSet::new();
        for Described { name, kind, help } in names::ALL {
            assert!(seen.insert(name), "{name} twice");
            assert!(name.starts_with("aisle_") && help.ends_with('.'), "{name}");
            assert_eq!(name.ends_with("_total"), matches!(kind, Kind::Counter), "{name}");
            if let Kind::Histogram(buckets, _) = kind {
                assert!(buckets.is_sorted(), "{name}");
                assert!(name.ends_with("_seconds") || name.ends_with("_size"), "{name}");
            }
        }
    }

    #[test]
    fn metrics_are_kept_once_in_a_process() {
        let first = install_metrics().unwrap();
        assert!(install_metrics().is_err());
        metrics::gauge!(names::STORE_UP).set(1.0);
        assert!(first.clone().render().contains("aisle_store_up 1"));
    }
}
