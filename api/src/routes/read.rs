//! `GET /v1/jobs/{id}`

use std::ops::RangeInclusive;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use aisle_shared::domain;
use aisle_shared::store::MAX_ITEMS_PER_JOB;
use serde::Deserialize;
use utoipa::IntoParams;

use super::answer::{self, Seen};
use crate::caller::Caller;
use crate::context::Context;
use crate::http::{JobPath, PREFERENCE_APPLIED, Params, Prefer};
use crate::lookup::Wanted;
use crate::problem::{Code, FieldError, Problem, problems};
use crate::view::Job;
use crate::{lookup, wait};

/// Results in one answer at most.
pub(crate) const PAGE: u32 = 1_000;

/// Which of a large job's results to return.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ResultsQuery {
    /// The first image whose result is wanted: a job's `next_results`.
    #[serde(default)]
    #[param(maximum = 10_000, default = 0, required = false)]
    results_from: u32,
    /// Images to look at from there on.
    #[serde(default = "page")]
    #[param(minimum = 1, maximum = 1_000, default = 1_000, required = false)]
    results_limit: u32,
}

fn page() -> u32 {
    PAGE
}

problems!(ReadProblems: InvalidQuery, JobNotFound, JobGone, Internal, StoreUnavailable);

/// Read a job
///
/// With `Prefer: wait=n` the answer comes when the job has ended (with
/// `If-None-Match`: when it has changed), or after n seconds as it stands.
#[utoipa::path(
    tag = "jobs",
    operation_id = "readJob",
    security(("api_key" = ["jobs:read"])),
    params(
        ("id" = String, Path, format = Uuid, description = "The job's id."),
        ResultsQuery,
        ("Prefer" = Option<String>, Header, nullable = false, description = "`wait=n` waits up to \
            n seconds (1 to 60) for the job (RFC 7240)."),
        ("If-None-Match" = Option<String>, Header, nullable = false, description = "The `ETag` of \
            an earlier answer: 304 if nothing has changed since."),
    ),
    responses(
        (status = 200, body = Job, description = "The job as it stands.", headers(
            ("ETag" = String, description = "Names this state of the job."),
            ("Retry-After" = u32, description = "While the job has not ended: seconds after \
                which it is worth another look."),
            ("Preference-Applied" = String, description = "The preference that was applied."),
        )),
        (status = 304, description = "Nothing has changed since `If-None-Match`.", headers(
            ("ETag" = String, description = "Names this state of the job."),
        )),
        ReadProblems,
    ),
)]
#[get("/v1/jobs/{id}")]
pub(crate) async fn read(
    caller: Caller,
    context: Data<Context>,
    id: JobPath,
    query: Params<ResultsQuery>,
    prefer: Prefer,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    query.0.check()?;
    let ResultsQuery { results_from, results_limit } = query.0;
    let seen = Seen::by(&request);
    let max = context.settings().wait_max;
    let wait = prefer.wait(max);
    let wanted = Wanted { id: id.0, first: results_from, limit: results_limit };
    let looked = if seen.is_empty() {
        wait::until_end(&context, &caller, wanted, wait).await?
    } else {
        let done = |job: &domain::Job| job.status.is_terminal() || !seen.holds(job);
        // Who has seen it may have to be told nothing, and then no results.
        wait::until(&context, &caller, &id.0, wait, done).await?.into()
    };
    if seen.holds(&looked.job) {
        return Ok(answer::of_job(StatusCode::NOT_MODIFIED, &looked.job).finish());
    }
    let mut response = answer::of_job(StatusCode::OK, &looked.job);
    if let Some(applied) = prefer.applied(max, true) {
        response.insert_header((PREFERENCE_APPLIED, applied));
    }
    Ok(response.json(lookup::with_results(&context, &caller, looked, wanted).await?))
}

impl ResultsQuery {
    fn check(&self) -> Result<(), Problem> {
        let places = 0..=MAX_ITEMS_PER_JOB;
        within("results_from", self.results_from, &places)?;
        within("results_limit", self.results_limit, &(1..=PAGE))
    }
}

fn within(name: &str, value: u32, range: &RangeInclusive<u32>) -> Result<(), Problem> {
    if range.contains(&value) {
        return Ok(());
    }
    let detail = format!("not from {} to {}", range.start(), range.end());
    Err(Problem::new(Code::InvalidQuery, format!("{name}: {detail}."))
        .with_errors(vec![FieldError::of_parameter(name, detail)]))
}
