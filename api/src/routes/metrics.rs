//! `GET /metrics`

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Data;
use actix_web::{HttpResponse, get};

use crate::caller::Caller;
use crate::context::Context;

/// Metrics
///
/// In Prometheus' text format. What the store holds is read at each scrape;
/// while it does not answer, `aisle_store_up` is 0. Where the service has a
/// listener for administrators, they are there, and not here.
#[utoipa::path(
    tag = "operations",
    operation_id = "metrics",
    security(("api_key" = ["admin"])),
    responses((status = 200, content_type = "text/plain", body = String,
        description = "The process' metrics and the store's.",
        example = json!("aisle_queue_depth{lane=\"mobilenet-v2/normal\"} 3\n"))),
)]
#[get("/metrics")]
pub(crate) async fn metrics(_: Caller, context: Data<Context>) -> HttpResponse {
    context.gauges.read(context.store()).await;
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .body((context.state.metrics)())
}
