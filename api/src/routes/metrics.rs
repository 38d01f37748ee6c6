//! `GET /metrics`

use std::collections::HashMap;

use ::metrics::gauge;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use aisle_shared::domain::{AnnouncedModel, Priority, Timestamp};
use aisle_shared::store::{LaneStats, Stats};
use aisle_shared::telemetry::names;

use crate::context::Context;

/// Metrics
///
/// In Prometheus' text format. What the store holds is read at each scrape;
/// while it does not answer, `aisle_store_up` is 0.
#[utoipa::path(
    tag = "operations",
    operation_id = "metrics",
    responses((status = 200, content_type = "text/plain", body = String,
        description = "The process' metrics and the store's.",
        example = json!("aisle_queue_depth{lane=\"mobilenet-v2/normal\"} 3\n"))),
)]
#[get("/metrics")]
pub(crate) async fn metrics(context: Data<Context>) -> HttpResponse {
    let store = context.store();
    match futures::future::try_join(store.stats(), store.models()).await {
        Ok((stats, models)) => record(&stats, &models, Timestamp::now()),
        Err(error) => {
            gauge!(names::STORE_UP).set(0.0);
            tracing::warn!(%error, "the store could not be read for metrics");
        }
    }
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .body((context.state.metrics)())
}

/// Sets the gauges of what the store holds.
fn record(stats: &Stats, models: &[AnnouncedModel], now: Timestamp) {
    gauge!(names::STORE_UP).set(1.0);
    gauge!(names::QUEUE_RUNNING).set(count(stats.running));
    gauge!(names::QUEUE_DELAYED).set(count(stats.delayed));
    gauge!(names::QUEUE_LIVE).set(count(stats.live));
    gauge!(names::DEAD_LETTERS).set(count(stats.dead));
    for (lane, depth) in lanes(stats, models) {
        gauge!(names::QUEUE_DEPTH, "lane" => lane.clone()).set(count(depth.ready));
        gauge!(names::QUEUE_OLDEST_AGE_SECONDS, "lane" => lane).set(depth.oldest_age(now));
    }
    for model in models {
        gauge!(names::MODEL_WORKERS, "model" => model.card.name.to_string())
            .set(f64::from(model.live_workers));
    }
    let waits = u8::from(without_capacity(stats, models));
    gauge!(names::BACKLOG_WITHOUT_CAPACITY).set(f64::from(waits));
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Depth {
    ready: u64,
    oldest: Option<Timestamp>,
}

impl Depth {
    fn oldest_age(self, now: Timestamp) -> f64 {
        self.oldest.map_or(0.0, |oldest| now.since(oldest).as_secs_f64())
    }
}

/// Every lane of a known model, empty ones included: a gauge keeps its last
/// value until it is set again.
fn lanes(stats: &Stats, models: &[AnnouncedModel]) -> HashMap<String, Depth> {
    let known = models.iter().flat_map(|model| {
        Priority::ALL.map(|priority| (lane(&model.card.name, priority), Depth::default()))
    });
    let filled = stats.lanes.iter().map(|LaneStats { model, priority, ready, oldest }| {
        (lane(model, *priority), Depth { ready: *ready, oldest: *oldest })
    });
    known.chain(filled).collect()
}

fn lane(model: &aisle_shared::domain::ModelName, priority: Priority) -> String {
    format!("{model}/{}", priority.as_str())
}

/// Whether images wait for a model that no living worker serves.
fn without_capacity(stats: &Stats, models: &[AnnouncedModel]) -> bool {
    let served = |lane: &LaneStats| {
        models.iter().any(|model| model.card.name == lane.model && model.live_workers > 0)
    };
    stats.lanes.iter().any(|lane| lane.ready > 0 && !served(lane))
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; counts stay far below 2^53")]
fn count(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use aisle_shared::domain::{Activation, ModelCard};

    fn model(name: &str, live_workers: u32) -> AnnouncedModel {
        let card = ModelCard {
            name: name.parse().unwrap(),
            version: "v1".to_owned(),
            labels: Vec::new(),
            input_size: [224, 224],
            activation: Activation::Softmax,
            provider: "cpu".to_owned(),
            precision: "fp32".to_owned(),
        };
        AnnouncedModel { card, live_workers }
    }

    fn waiting(name: &str, ready: u64) -> Stats {
        let model = name.parse().unwrap();
        let oldest = Some(Timestamp(1_000));
        Stats {
            lanes: vec![LaneStats { model, priority: Priority::Bulk, ready, oldest }],
            ..Stats::default()
        }
    }

    #[test]
    fn an_empty_lane_of_a_known_model_is_reported_as_empty() {
        let lanes = lanes(&waiting("a", 3), &[model("a", 1)]);
        assert_eq!(lanes["a/bulk"].ready, 3);
        assert_eq!(lanes["a/normal"], Depth::default());
        assert!((lanes["a/bulk"].oldest_age(Timestamp(3_500)) - 2.5).abs() < 1e-9);
    }

    #[test]
    fn images_that_nobody_serves_are_a_backlog_without_capacity() {
        assert!(without_capacity(&waiting("a", 1), &[model("a", 0), model("b", 1)]));
        assert!(!without_capacity(&waiting("a", 1), &[model("a", 1)]));
        assert!(!without_capacity(&waiting("a", 0), &[]));
    }
}
