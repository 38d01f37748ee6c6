//! `POST /v1/jobs`

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, post};
use aisle_shared::domain::JobId;

use super::answer;
use super::read::PAGE;
use crate::caller::Caller;
use crate::context::Context;
use crate::http::{IDEMPOTENCY_REPLAYED, IdempotencyKey, PREFERENCE_APPLIED, Params, Prefer};
use crate::intake::{self, Fingerprint, JsonJob, MultipartJob, RawImage, SubmitQuery, Submitted};
use crate::lookup::Wanted;
use crate::problem::{Problem, problems};
use crate::view::Job;
use crate::{admission, envelope, lookup, wait};

problems!(SubmitProblems:
    InvalidRequest, InvalidQuery, InvalidIdempotencyKey, IdempotencyInProgress,
    IdempotencyKeyReused, JobGone, RateLimited, IntakeClosed, UploadsFull, StoreFull, NoImages, EmptyImage, UploadTooSlow, BodyTooLarge, TooLarge,
    TooManyPixels, TooManyImages, UnsupportedMedia, UnsupportedType, Truncated, Undecodable,
    UrlNotAllowed, UnknownModel, InvalidTopK, PrecisionNotOffered, Internal, WebhooksOff, StoreUnavailable, QueueFull, TooBusy,
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
    security(("api_key" = ["jobs:write"])),
    params(
        SubmitQuery,
        ("Prefer" = Option<String>, Header, nullable = false, description = "`wait=n` answers with \
            the ended job if it ends within n seconds (1 to 60); `respond-async` answers at once, \
            which is also the default (RFC 7240).", example = "wait=10"),
        ("Idempotency-Key" = Option<String>, Header, nullable = false, min_length = 1,
            max_length = 255, description = "Your own name for this request, such as a UUID, in \
            quotation marks or without: sent again with the same content within 24 hours, it \
            answers with the job that it made the first time \
            (draft-ietf-httpapi-idempotency-key-header-07).",
            example = "8e03978e-40d5-43dd-bc93-6894a57f9324"),
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
            ("Idempotency-Replayed" = bool, description = "`true` where an earlier request of \
                the same key had made the job."),
            ("RateLimit-Policy" = String, description = "How often you may submit, where that is \
                limited (draft-ietf-httpapi-ratelimit-headers-10)."),
            ("RateLimit" = String, description = "What is left of that."),
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
    IdempotencyKey(key): IdempotencyKey,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let kind = admission::admit(&context, &caller, &request).await?;
    let options = query.0.into_options(&context.settings().fetch_policy)?;
    let method = request.method().as_str();
    let fingerprint =
        key.is_some().then(|| Fingerprint::new(method, request.path(), &caller.tenant));
    let id = match &key {
        Some(key) => JobId::for_key(&caller.tenant, key),
        None => JobId::generate(),
    };
    let mut draft = intake::receive(&context, &request, payload, (kind, id, fingerprint)).await?;
    draft.trace = envelope::trace::of(&request);
    let max = context.settings().wait_max;
    let wait = prefer.wait(max);
    // From before it is written on, so that its end is not missed.
    let watch = wait.map(|wait| (context.store().watch_end(&id), wait));
    let Submitted { id, job, repeated } = draft.submit(&caller, options, key).await?;
    let wanted = Wanted { id, first: 0, limit: PAGE };
    let looked = match (job, watch) {
        // Nobody knows more of it than what was just written.
        (Some(job), None) => (*job).into(),
        (Some(job), Some((watch, wait))) => {
            wait::until_ended(&context, &caller, (wanted, (*job).into()), watch, wait).await?
        }
        (None, _) => wait::until_end(&context, &caller, wanted, wait).await?,
    };

    let in_time = wait.is_some() && looked.job.status.is_terminal();
    let status = if in_time { StatusCode::OK } else { StatusCode::ACCEPTED };
    let mut response = answer::of_job(status, &looked.job);
    response.insert_header((LOCATION, Job::path(&id)));
    if repeated {
        response.insert_header((IDEMPOTENCY_REPLAYED, "true"));
    }
    if let Some(applied) = prefer.applied(max, in_time) {
        response.insert_header((PREFERENCE_APPLIED, applied));
    }
    Ok(response.json(lookup::with_results(&context, &caller, looked, wanted).await?))
}
