//! `GET /metrics`

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Data;
use actix_web::{HttpResponse, get};

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
    context.gauges.read(context.store()).await;
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .body((context.state.metrics)())
}
