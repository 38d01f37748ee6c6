//! Keeping metrics and showing them in Prometheus' text format.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use super::TelemetryError;
use super::names::{self, Described, Kind};

/// How often recorded values are sorted into their buckets, so that they do
/// not pile up in a process that nobody scrapes.
const UPKEEP_PERIOD: Duration = Duration::from_secs(5);

/// Shows the metrics kept so far. Clones show the same.
#[derive(Debug, Clone)]
pub struct MetricsHandle {
    exporter: PrometheusHandle,
    /// Its thread ends when the last clone is dropped.
    _upkeep: Arc<Sender<()>>,
}

impl MetricsHandle {
    /// All metrics in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.exporter.render()
    }
}

/// Keeps the metrics that this process reports from now on.
///
/// # Errors
/// When they are kept already, or no thread can be started.
pub fn install_metrics() -> Result<MetricsHandle, TelemetryError> {
    let exporter = builder()?.install_recorder()?;
    describe();
    metrics::gauge!(names::BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    let (alive, ended) = channel();
    let handle = MetricsHandle { exporter: exporter.clone(), _upkeep: Arc::new(alive) };
    thread::Builder::new()
        .name("metrics-upkeep".to_owned())
        .spawn(move || keep_small(&exporter, &ended))?;
    Ok(handle)
}

fn keep_small(exporter: &PrometheusHandle, ended: &Receiver<()>) {
    while ended.recv_timeout(UPKEEP_PERIOD) == Err(RecvTimeoutError::Timeout) {
        exporter.run_upkeep();
    }
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    names::ALL.iter().try_fold(PrometheusBuilder::new(), |builder, metric| match metric.kind {
        Kind::Histogram(buckets) => {
            builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets)
        }
        Kind::Counter | Kind::Gauge => Ok(builder),
    })
}

fn describe() {
    for Described { name, kind, help } in names::ALL {
        match kind {
            Kind::Counter => metrics::describe_counter!(*name, *help),
            Kind::Gauge => metrics::describe_gauge!(*name, *help),
            Kind::Histogram(_) => metrics::describe_histogram!(*name, *help),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// What is shown after `report`.
    pub(crate) fn shown(report: impl FnOnce()) -> String {
        let recorder = builder().unwrap().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            describe();
            report();
        });
        recorder.handle().render()
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
            if let Kind::Histogram(buckets) = kind {
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
