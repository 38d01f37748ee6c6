//! `GET /health/live` and `GET /health/ready`

use std::time::Duration;

use actix_web::get;
use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::context::Context;
use crate::problem::{Code, Problem, problems};

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

problems!(ReadyProblems: NotReady);

/// Is the process alive?
#[utoipa::path(
    tag = "operations",
    operation_id = "live",
    security(()),
    responses((status = 200, body = Health, description = "It is.")),
)]
#[get("/health/live")]
pub(crate) async fn live() -> Json<Health> {
    Json(Health { status: HealthStatus::Ok })
}

/// Can the service take jobs?
///
/// Writes to the store and reads it back. Where the service is to run its own
/// worker, one must be alive.
#[utoipa::path(
    tag = "operations",
    operation_id = "ready",
    security(()),
    responses((status = 200, body = Health, description = "It can."), ReadyProblems),
)]
#[get("/health/ready")]
pub(crate) async fn ready(context: Data<Context>) -> Result<Json<Health>, Problem> {
    let not_ready = |detail: &str| Problem::new(Code::NotReady, detail).retry_after(RETRY);
    let unanswered = |error| not_ready("The store does not answer.").caused_by(error);
    context.store().check().await.map_err(unanswered)?;
    if context.settings().needs_worker {
        let models = context.store().models().await.map_err(unanswered)?;
        if models.iter().all(|model| model.live_workers == 0) {
            return Err(not_ready("No worker is alive."));
        }
    }
    Ok(Json(Health { status: HealthStatus::Ok }))
}
