//! `POST /v1/jobs`

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, post};
use aisle_shared::domain;

use super::answer;
use super::read::PAGE;
use crate::caller::Caller;
use crate::context::Context;
use crate::http::{PREFERENCE_APPLIED, Params, Prefer};
use crate::intake::{self, JsonJob, MultipartJob, RawImage, SubmitQuery};
use crate::problem::{Problem, problems};
use crate::view::Job;
use crate::{lookup, wait};

problems!(SubmitProblems:
    InvalidRequest, InvalidQuery, NoImages, EmptyImage, UploadTooSlow, BodyTooLarge, TooLarge,
    TooManyPixels, TooManyImages, UnsupportedMedia, UnsupportedType, Truncated, Undecodable,
    UrlNotAllowed, UnknownModel, InvalidTopK, Internal, WebhooksOff, StoreUnavailable, QueueFull, TooBusy,
    NoModel);

/// Submit photographs
///
/// Takes one to many images and answers with a job at once. Send them as a
/// form with files, as one raw image body, or as JSON with URLs or base64.
///
/// A job of one image is refused if the image cannot be classified. Among
/// several images, one that cannot be classified fails alone: see its
/// `results` entry.
#[utoipa::path(
    tag = "jobs",
    operation_id = "submitJob",
    params(
        SubmitQuery,
        ("Prefer" = Option<String>, Header, nullable = false, description = "`wait=n` answers with \
            the ended job if it ends within n seconds (1 to 60); `respond-async` answers at once, \
            which is also the default (RFC 7240).", example = "wait=10"),
    ),
    request_body(content(
        (MultipartJob = "multipart/form-data"),
        (JsonJob = "application/json", examples(
            ("url" = (summary = "An image by its URL", value = json!({
                "images": [{"url": "https://example.com/photographs/sandal.jpg"}],
                "top_k": 3
            }))),
            ("webhook" = (summary = "A job whose end is told", value = json!({
                "images": [{"url": "https://example.com/photographs/sandal.jpg"}],
                "webhook": {"url": "https://shop.example.com/hooks/aisle"}
            }))),
            ("base64" = (summary = "An image by its bytes", value = json!({
                "images": [{"base64": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="}],
                "metadata": {"sku": "A-1001"}
            }))),
        )),
        (inline(RawImage) = "image/*"),
    )),
    responses(
        (status = 202, body = Job, description = "Accepted.", headers(
            ("Location" = String, description = "The job's address."),
            ("Retry-After" = u32, description = "Seconds after which the job is worth a look."),
            ("ETag" = String, description = "Names this state of the job."),
            ("Preference-Applied" = String, description = "`respond-async` if it was preferred."),
        ), links(
            ("read" = (operation_id = "readJob", parameters(("id" = "$response.body#/id")))),
            ("cancel" = (operation_id = "cancelJob", parameters(("id" = "$response.body#/id")))),
            ("follow" = (operation_id = "followJob", parameters(("id" = "$response.body#/id")))),
            ("delete" = (operation_id = "deleteJob", parameters(("id" = "$response.body#/id")))),
        )),
        (status = 200, body = Job, description = "Ended within the time that `Prefer: wait` \
            allowed.", headers(
            ("Location" = String, description = "The job's address."),
            ("ETag" = String, description = "Names this state of the job."),
            ("Preference-Applied" = String, description = "The wait that was applied."),
        )),
        SubmitProblems,
    ),
)]
#[post("/v1/jobs")]
pub(crate) async fn submit(
    caller: Caller,
    context: Data<Context>,
    prefer: Prefer,
    query: Params<SubmitQuery>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let options = query.0.into_options(&context.settings().fetch_policy)?;
    let draft = intake::receive(&context, &request, payload).await?;
    let id = draft.submit(&caller, options).await?;
    let max = context.settings().wait_max;
    let ended = |job: &domain::Job| job.status.is_terminal();
    let job = wait::until(&context, &caller, &id, prefer.wait(max), ended).await?;

    let in_time = prefer.wait(max).is_some() && ended(&job);
    let status = if in_time { StatusCode::OK } else { StatusCode::ACCEPTED };
    let mut response = answer::of_job(status, &job);
    response.insert_header((LOCATION, Job::path(&id)));
    if let Some(applied) = prefer.applied(max, in_time) {
        response.insert_header((PREFERENCE_APPLIED, applied));
    }
    Ok(response.json(lookup::with_results(&context, &caller, job, 0, PAGE).await?))
}
