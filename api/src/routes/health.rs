//! `GET /health/live` and `GET /health/ready`

use std::time::Duration;

use actix_web::get;
use actix_web::web::{Data, Json};
use aisle_shared::vitals::Vitals;
use serde::Serialize;
use utoipa::ToSchema;

use crate::context::Context;
use crate::problem::{Code, Problem, problems};

/// How long the store may take to answer: shorter than a probe waits.
const PATIENCE: Duration = Duration::from_millis(2_500);

/// When to ask again.
const RETRY: Duration = Duration::from_secs(5);

/// That all is well.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    status: HealthStatus,
}

/// The only status that is not a problem.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum HealthStatus {
    /// All is well.
    Ok,
}

problems!(LiveProblems: NotAlive);
problems!(ReadyProblems: NotReady);

/// Is the process alive?
///
/// Where it has a worker, it is alive while the store answers the worker's
/// claims and the worker's images get on. One that is not alive is to be
/// started anew.
#[utoipa::path(
    tag = "operations",
    operation_id = "live",
    security(()),
    responses((status = 200, body = Health, description = "It is."), LiveProblems),
)]
#[get("/health/live")]
pub(crate) async fn live(context: Data<Context>) -> Result<Json<Health>, Problem> {
    if let Some(Err(illness)) = context.state.worker.as_ref().map(Vitals::alive) {
        return Err(Problem::new(Code::NotAlive, format!("The worker is stuck: {illness}.")));
    }
    Ok(Json(Health { status: HealthStatus::Ok }))
}

/// Can the service take jobs?
///
/// Writes to the store and reads it back. Where the process has a worker, it
/// must be alive and known to the store. A process that stops is not ready.
#[utoipa::path(
    tag = "operations",
    operation_id = "ready",
    security(()),
    responses((status = 200, body = Health, description = "It can."), ReadyProblems),
)]
#[get("/health/ready")]
pub(crate) async fn ready(context: Data<Context>) -> Result<Json<Health>, Problem> {
    let not_ready = |detail: &str| Problem::new(Code::NotReady, detail).retry_after(RETRY);
    if context.shutdown.is_cancelled() {
        return Err(not_ready("The service is stopping."));
    }
    if let Some(Err(illness)) = context.state.worker.as_ref().map(Vitals::ready) {
        return Err(not_ready(&format!("The worker takes no images: {illness}.")));
    }
    let unanswered = || not_ready("The store does not answer.");
    let checked = tokio::time::timeout(PATIENCE, context.store().check()).await;
    checked.map_err(|_| unanswered())?.map_err(|error| unanswered().caused_by(error))?;
    Ok(Json(Health { status: HealthStatus::Ok }))
}
