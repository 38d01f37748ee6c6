//! What the store holds, as gauges.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::gauge;

use super::names;
use crate::domain::{AnnouncedModel, ModelName, Priority, Timestamp};
use crate::store::{LaneStats, Stats, Store, StoreError};

/// How long a scrape waits for the store: shorter than Prometheus waits for
/// the scrape.
const PATIENCE: Duration = Duration::from_secs(3);

/// Sets the gauges of what the store holds. It remembers which lanes it has
/// shown, because a gauge keeps its last value and the store tells only of
/// lanes that have items.
#[derive(Debug, Default)]
pub struct StoreGauges {
    lanes: Mutex<Lanes>,
}

type Lanes = HashMap<String, Lane>;

#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Lane {
    ready: u64,
    oldest_age_seconds: f64,
}

impl StoreGauges {
    /// Shows what the store holds at `now`, and who serves it.
    pub fn record(&self, stats: &Stats, models: &[AnnouncedModel], now: Timestamp) {
        let Stats { lanes, delayed, running, live, dead, webhooks, cached } = stats;
        gauge!(names::STORE_UP).set(1.0);
        gauge!(names::QUEUE_DELAYED).set(count(*delayed));
        gauge!(names::QUEUE_RUNNING).set(count(*running));
        gauge!(names::QUEUE_LIVE).set(count(*live));
        gauge!(names::DEAD_LETTERS).set(count(*dead));
        let overdue = webhooks.due.map(|due| now.since(due)).unwrap_or_default();
        gauge!(names::WEBHOOKS_PENDING).set(count(webhooks.pending));
        gauge!(names::WEBHOOKS_OVERDUE_SECONDS).set(overdue.as_secs_f64());
        gauge!(names::CACHE_ENTRIES).set(count(*cached));
        for AnnouncedModel { card, live_workers } in models {
            gauge!(names::MODEL_WORKERS, "model" => card.name.to_string())
                .set(f64::from(*live_workers));
        }
        let unserved = u8::from(without_capacity(lanes, models));
        gauge!(names::BACKLOG_WITHOUT_CAPACITY).set(f64::from(unserved));
        let mut shown = self.shown();
        update(&mut shown, lanes, models, now);
        for (name, Lane { ready, oldest_age_seconds }) in &*shown {
            gauge!(names::QUEUE_DEPTH, "lane" => name.clone()).set(count(*ready));
            gauge!(names::QUEUE_OLDEST_AGE_SECONDS, "lane" => name.clone())
                .set(*oldest_age_seconds);
        }
    }

    /// Reads what the store holds and shows it, or that the store does not
    /// answer in time.
    pub async fn read(&self, store: &dyn Store) {
        let read = futures::future::try_join(store.stats(), store.models());
        let read = tokio::time::timeout(PATIENCE, read).await;
        match read.unwrap_or_else(|_| Err(StoreError::unavailable("no answer in time"))) {
            Ok((stats, models)) => self.record(&stats, &models, Timestamp::now()),
            Err(error) => {
                self.record_down();
                tracing::warn!(%error, "the store could not be read for metrics");
            }
        }
    }

    /// Shows that the store does not answer; what it held stays as it was
    /// last seen.
    pub fn record_down(&self) {
        gauge!(names::STORE_UP).set(0.0);
    }

    fn shown(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Empties the lanes shown before and those of known models, and fills those
/// that have items now.
fn update(shown: &mut Lanes, lanes: &[LaneStats], models: &[AnnouncedModel], now: Timestamp) {
    shown.values_mut().for_each(|lane| *lane = Lane::default());
    for AnnouncedModel { card, .. } in models {
        shown.extend(Priority::ALL.map(|priority| (name(&card.name, priority), Lane::default())));
    }
    for LaneStats { model, priority, ready, oldest } in lanes {
        let oldest_age = oldest.map(|oldest| now.since(oldest)).unwrap_or_default();
        let lane = Lane { ready: *ready, oldest_age_seconds: oldest_age.as_secs_f64() };
        shown.insert(name(model, *priority), lane);
    }
}

fn name(model: &ModelName, priority: Priority) -> String {
    format!("{model}/{}", priority.as_str())
}

/// Whether items wait for a model that no living worker serves.
fn without_capacity(lanes: &[LaneStats], models: &[AnnouncedModel]) -> bool {
    let served = |lane: &LaneStats| {
        models.iter().any(|model| model.card.name == lane.model && model.live_workers > 0)
    };
    lanes.iter().any(|lane| lane.ready > 0 && !served(lane))
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; counts stay far below 2^53")]
fn count(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::super::metrics_recorder;
    use super::*;
    use crate::domain::{Activation, ModelCard};
    use crate::store::WebhookStats;

    fn lane(model: &str, priority: Priority, ready: u64) -> LaneStats {
        let model = model.parse().unwrap();
        LaneStats { model, priority, ready, oldest: Some(Timestamp(1_000)) }
    }

    fn model(name: &str, live_workers: u32) -> AnnouncedModel {
        let card = ModelCard {
            name: name.parse().unwrap(),
            version: "v1".to_owned(),
            labels: Vec::new(),
            input_size: [224, 224],
            activation: Activation::Softmax,
            provider: "cpu".to_owned(),
            precision: "fp32".to_owned(),
            accept: Vec::new(),
            trouble: None,
        };
        AnnouncedModel { card, live_workers }
    }

    /// What is shown after each of the reports.
    fn shown<const N: usize>(reports: [&dyn Fn(&StoreGauges); N]) -> [String; N] {
        let gauges = StoreGauges::default();
        let (recorder, handle) = metrics_recorder().unwrap();
        reports.map(|report| {
            metrics::with_local_recorder(&recorder, || report(&gauges));
            handle.render()
        })
    }

    fn holds(lanes: Vec<LaneStats>, models: Vec<AnnouncedModel>) -> impl Fn(&StoreGauges) {
        let stats = Stats { lanes, running: 5, live: 9, ..Stats::default() };
        move |gauges| gauges.record(&stats, &models, Timestamp(3_500))
    }

    #[track_caller]
    fn assert_lines(text: &str, lines: &[&str]) {
        for line in lines {
            assert!(text.lines().any(|shown| shown == *line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_lane_that_has_run_empty_is_shown_as_empty() {
        let both = vec![lane("a", Priority::Bulk, 3), lane("b", Priority::Normal, 1)];
        let [before, after] =
            shown([&holds(both, vec![]), &holds(vec![lane("b", Priority::Normal, 2)], vec![])]);
        assert_lines(
            &before,
            &[
                "aisle_queue_depth{lane=\"a/bulk\"} 3",
                "aisle_queue_oldest_age_seconds{lane=\"a/bulk\"} 2.5",
            ],
        );
        assert_lines(
            &after,
            &[
                "aisle_queue_depth{lane=\"a/bulk\"} 0",
                "aisle_queue_oldest_age_seconds{lane=\"a/bulk\"} 0",
                "aisle_queue_depth{lane=\"b/normal\"} 2",
                "aisle_queue_running 5",
                "aisle_queue_live 9",
            ],
        );
    }

    #[test]
    fn a_known_model_is_shown_with_its_workers_and_its_empty_lanes() {
        let [text] = shown([&holds(vec![lane("a", Priority::Bulk, 3)], vec![model("a", 2)])]);
        assert_lines(
            &text,
            &[
                "aisle_model_workers{model=\"a\"} 2",
                "aisle_queue_depth{lane=\"a/bulk\"} 3",
                "aisle_queue_depth{lane=\"a/normal\"} 0",
                "aisle_queue_oldest_age_seconds{lane=\"a/normal\"} 0",
            ],
        );
    }

    #[test]
    fn items_that_nobody_serves_are_a_backlog_without_capacity() {
        for (ready, models, expected) in [
            (1, vec![model("a", 0), model("b", 1)], 1),
            (1, vec![], 1),
            (1, vec![model("a", 1)], 0),
            (0, vec![], 0),
        ] {
            let [text] = shown([&holds(vec![lane("a", Priority::Bulk, ready)], models)]);
            assert_lines(&text, &[&format!("aisle_backlog_without_capacity {expected}")]);
        }
    }

    #[test]
    fn a_webhook_is_overdue_once_it_is_due_and_nobody_has_claimed_it() {
        for (due, overdue) in
            [(None, "0"), (Some(3_500), "0"), (Some(9_000), "0"), (Some(500), "3")]
        {
            let webhooks = WebhookStats { pending: 7, due: due.map(Timestamp) };
            let stats = Stats { webhooks, ..Stats::default() };
            let [text] = shown([&|gauges| gauges.record(&stats, &[], Timestamp(3_500))]);
            let overdue = format!("aisle_webhooks_overdue_seconds {overdue}");
            assert_lines(&text, &["aisle_webhooks_pending 7", &overdue]);
        }
    }

    #[test]
    fn a_store_that_does_not_answer_is_down_until_it_does() {
        let [up, down, again] =
            shown([&holds(vec![], vec![]), &StoreGauges::record_down, &holds(vec![], vec![])]);
        assert_lines(&up, &["aisle_store_up 1"]);
        assert_lines(&down, &["aisle_store_up 0", "aisle_queue_live 9"]);
        assert_lines(&again, &["aisle_store_up 1"]);
    }
}
