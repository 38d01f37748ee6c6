//! Health checks and metrics of a worker that runs without an API. The paths
//! are the API's, so that one probe fits every process.

use std::net::TcpListener;
use std::sync::Arc;

use actix_web::web::Data;
use actix_web::{App, HttpResponse, HttpServer, get};
use aisle_shared::store::Store;
use aisle_shared::telemetry::MetricsHandle;
use tokio_util::sync::CancellationToken;

/// What is asked about.
#[derive(Clone)]
pub(super) struct Monitored {
    pub(super) store: Arc<dyn Store>,
    pub(super) metrics: MetricsHandle,
}

/// Answers until the process stops.
pub(super) async fn serve(
    listener: TcpListener,
    monitored: Monitored,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let app = move || {
        App::new()
            .app_data(Data::new(monitored.clone()))
            .service(live)
            .service(ready)
            .service(metrics)
    };
    let server = HttpServer::new(app).workers(1).disable_signals().listen(listener)?.run();
    let handle = server.handle();
    let stopped = async move {
        stop.cancelled().await;
        handle.stop(true).await;
    };
    tokio::join!(server, stopped).0
}

/// The process runs.
#[get("/health/live")]
async fn live() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({"status": "ok"}))
}

/// The models are loaded, or nobody would answer; the store answers.
#[get("/health/ready")]
async fn ready(monitored: Data<Monitored>) -> HttpResponse {
    match monitored.store.check().await {
        Ok(()) => HttpResponse::Ok().json(serde_json::json!({"status": "ok"})),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            HttpResponse::ServiceUnavailable().json(serde_json::json!({"status": "not_ready"}))
        }
    }
}

/// Metrics in Prometheus' text format.
#[get("/metrics")]
async fn metrics(monitored: Data<Monitored>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(monitored.metrics.render())
}
