//! Health checks and metrics of a worker that runs without an API. The paths
//! are the API's, so that one probe fits every process.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use actix_web::{App, HttpResponse, HttpServer, get};
use aisle_shared::store::Store;
use aisle_shared::telemetry::{MetricsHandle, StoreGauges};
use aisle_shared::vitals::Vitals;
use tokio_util::sync::CancellationToken;

/// How long the store may take to answer: shorter than a probe waits.
const PATIENCE: Duration = Duration::from_millis(2_500);

/// What is asked about.
#[derive(Clone)]
pub(super) struct Monitored {
    pub(super) store: Arc<dyn Store>,
    pub(super) vitals: Vitals,
    pub(super) gauges: Arc<StoreGauges>,
    pub(super) metrics: MetricsHandle,
}

/// Answers until told to stop.
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

/// The worker does its work; one that does not is to be started anew.
#[get("/health/live")]
async fn live(monitored: Data<Monitored>) -> HttpResponse {
    match monitored.vitals.alive() {
        Ok(()) => well(),
        Err(illness) => unwell("not_alive", &illness),
    }
}

/// The worker takes images, and the store answers.
#[get("/health/ready")]
async fn ready(monitored: Data<Monitored>) -> HttpResponse {
    if let Err(illness) = monitored.vitals.ready() {
        return unwell("not_ready", &illness);
    }
    match tokio::time::timeout(PATIENCE, monitored.store.check()).await {
        Ok(Ok(())) => well(),
        Ok(Err(error)) => unwell("not_ready", &error),
        Err(_) => unwell("not_ready", &"the store does not answer in time"),
    }
}

fn well() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({"status": "ok"}))
}

fn unwell(status: &str, cause: &dyn std::fmt::Display) -> HttpResponse {
    tracing::warn!(status, %cause, "not well");
    let body = serde_json::json!({"status": status, "detail": cause.to_string()});
    HttpResponse::ServiceUnavailable().json(body)
}

/// Metrics in Prometheus' text format, what the store holds among them.
#[get("/metrics")]
async fn metrics(monitored: Data<Monitored>) -> HttpResponse {
    monitored.gauges.read(&*monitored.store).await;
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(monitored.metrics.render())
}
