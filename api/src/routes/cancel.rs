//! `POST /v1/jobs/{id}/cancel`

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use aisle_shared::domain::{ItemRef, JobId};
use aisle_shared::store::Canceled;

use super::answer;
use super::read::PAGE;
use crate::caller::Caller;
use crate::context::Context;
use crate::http::JobPath;
use crate::lookup::{self, Wanted};
use crate::problem::{Code, Problem, problems};
use crate::view::Job;

problems!(CancelProblems: JobNotFound, JobAlreadyEnded, JobGone, Internal, StoreUnavailable);

/// Cancel a job
///
/// Images that no worker has begun end at once, those being worked on soon.
/// Canceling a canceled job again changes nothing.
#[utoipa::path(
    tag = "jobs",
    operation_id = "cancelJob",
    security(("api_key" = ["jobs:cancel"])),
    params(("id" = String, Path, format = Uuid, description = "The job's id.")),
    responses(
        (status = 200, body = Job, description = "The job, canceled or about to be.", headers(
            ("ETag" = String, description = "Names this state of the job."),
            ("Retry-After" = u32, description = "While images are still being worked on: seconds \
                after which the job is worth a look."),
        )),
        CancelProblems,
    ),
)]
#[post("/v1/jobs/{id}/cancel")]
pub(crate) async fn cancel(
    caller: Caller,
    context: Data<Context>,
    id: JobPath,
) -> Result<HttpResponse, Problem> {
    let id = id.0;
    match context.store().cancel(&caller.tenant, &id).await {
        Ok(Canceled::Requested { items }) => remove_bytes(&context, id, &items).await,
        Ok(Canceled::AlreadyEnded(status)) => {
            let detail = format!("Job {id} has ended: {}.", status.as_str());
            return Err(Problem::new(Code::JobAlreadyEnded, detail));
        }
        Err(error) => return Err(lookup::refusal(&context, &caller, &id, error).await),
    }
    let job = lookup::find(&context, &caller, &id).await?;
    let mut response = answer::of_job(StatusCode::OK, &job);
    let wanted = Wanted { id, first: 0, limit: PAGE };
    Ok(response.json(lookup::with_results(&context, &caller, job.into(), wanted).await?))
}

/// Removes the bytes of items that will not be worked on. Those that cannot be
/// removed now are swept with the job.
async fn remove_bytes(context: &Context, job: JobId, items: &[u32]) {
    let ended: Vec<_> = items.iter().map(|&index| ItemRef { job, index }).collect();
    if let Err(error) = context.state.blobs.delete(&ended).await {
        tracing::warn!(%job, %error, "bytes of canceled images stay until their job is swept");
    }
}
