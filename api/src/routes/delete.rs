//! `DELETE /v1/jobs/{id}`

use actix_web::web::Data;
use actix_web::{HttpResponse, delete};

use crate::caller::Caller;
use crate::context::Context;
use crate::http::JobPath;
use crate::lookup;
use crate::problem::{Problem, problems};

problems!(DeleteProblems: JobNotFound, JobGone, Internal, StoreUnavailable);

/// Delete a job
///
/// Removes its images and results, whether it has ended or not. Its address
/// answers 410 from then on.
#[utoipa::path(
    tag = "jobs",
    operation_id = "deleteJob",
    security(("api_key" = ["jobs:cancel"])),
    params(("id" = String, Path, format = Uuid, description = "The job's id.")),
    responses((status = 204, description = "Deleted."), DeleteProblems),
)]
#[delete("/v1/jobs/{id}")]
pub(crate) async fn delete(
    caller: Caller,
    context: Data<Context>,
    id: JobPath,
) -> Result<HttpResponse, Problem> {
    let id = id.0;
    let deleted = match context.store().delete(&caller.tenant, &id).await {
        Ok(deleted) => deleted,
        Err(error) => return Err(lookup::refusal(&context, &caller, &id, error).await),
    };
    if let Err(error) = context.state.blobs.delete_job(id, deleted.items).await {
        tracing::warn!(job = %id, %error, "bytes of a deleted job stay until they are swept");
    }
    Ok(HttpResponse::NoContent().finish())
}
