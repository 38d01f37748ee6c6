//! What the store holds, as gauges.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::names;
use crate::domain::Timestamp;
use crate::store::{LaneStats, Stats};

/// Sets the gauges of what the store holds. It remembers which lanes it has
/// shown, because a gauge keeps its last value and the store tells only of
/// lanes that have items.
#[derive(Debug, Default)]
pub struct StoreGauges {
    lanes: Mutex<HashMap<String, Lane>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Lane {
    ready: u64,
    oldest_age_seconds: f64,
}

impl StoreGauges {
    /// Shows what the store holds at `now`.
    pub fn record(&self, stats: &Stats, now: Timestamp) {
        let Stats { lanes, delayed, running, live, dead } = stats;
        metrics::gauge!(names::QUEUE_DELAYED).set(count(*delayed));
        metrics::gauge!(names::QUEUE_RUNNING).set(count(*running));
        metrics::gauge!(names::QUEUE_LIVE).set(count(*live));
        metrics::gauge!(names::DEAD_LETTERS).set(count(*dead));
        let mut shown = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        update(&mut shown, lanes, now);
        for (name, Lane { ready, oldest_age_seconds }) in &*shown {
            metrics::gauge!(names::QUEUE_DEPTH, "lane" => name.clone()).set(count(*ready));
            metrics::gauge!(names::QUEUE_OLDEST_AGE_SECONDS, "lane" => name.clone())
                .set(*oldest_age_seconds);
        }
    }
}

/// Empties the lanes shown before and fills those that have items now.
fn update(shown: &mut HashMap<String, Lane>, lanes: &[LaneStats], now: Timestamp) {
    shown.values_mut().for_each(|lane| *lane = Lane::default());
    for LaneStats { model, priority, ready, oldest } in lanes {
        let oldest_age = oldest.map(|oldest| now.since(oldest)).unwrap_or_default();
        let lane = Lane { ready: *ready, oldest_age_seconds: oldest_age.as_secs_f64() };
        shown.insert(format!("{model}/{}", priority.as_str()), lane);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; counts stay far below 2^53")]
fn count(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;
    use crate::domain::Priority;

    fn lane(model: &str, priority: Priority, ready: u64) -> LaneStats {
        let model = model.parse().unwrap();
        LaneStats { model, priority, ready, oldest: Some(Timestamp(1_000)) }
    }

    #[test]
    fn a_lane_that_has_run_empty_is_shown_as_empty() {
        let gauges = StoreGauges::default();
        let recorder = PrometheusBuilder::new().build_recorder();
        let shown = |lanes| {
            let stats = Stats { lanes, running: 5, live: 9, ..Stats::default() };
            metrics::with_local_recorder(&recorder, || gauges.record(&stats, Timestamp(3_500)));
            recorder.handle().render()
        };

        let before = shown(vec![lane("a", Priority::Bulk, 3), lane("b", Priority::Normal, 1)]);
        let after = shown(vec![lane("b", Priority::Normal, 2)]);
        for (text, lines) in [
            (before, ["depth{lane=\"a/bulk\"} 3", "oldest_age_seconds{lane=\"a/bulk\"} 2.5"]),
            (after.clone(), ["depth{lane=\"a/bulk\"} 0", "oldest_age_seconds{lane=\"a/bulk\"} 0"]),
            (after, ["depth{lane=\"b/normal\"} 2", "running 5"]),
        ] {
            for line in lines {
                let line = format!("aisle_queue_{line}");
                assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
            }
        }
    }
}
