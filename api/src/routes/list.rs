//! `GET /v1/jobs`

use actix_web::http::header::LINK;
use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use aisle_shared::domain::ModelName;
use aisle_shared::store::JobFilter;
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::caller::Caller;
use crate::context::Context;
use crate::http::{Cursor, Params};
use crate::lookup;
use crate::problem::{Code, FieldError, Problem, problems};
use crate::view::{Job, JobList, JobStatus};

/// Jobs of a page at most.
const MAX_LIMIT: usize = 100;

/// Jobs whose results are read at the same time.
const READS: usize = 8;

/// Which jobs to list.
#[derive(Debug, Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only jobs in this status.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline, nullable = false)]
    status: Option<JobStatus>,
    /// Only jobs for this model.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", nullable = false)]
    model: Option<ModelName>,
    /// Jobs at most.
    #[serde(default = "usual")]
    #[param(minimum = 1, maximum = 100, default = 20, required = false)]
    limit: usize,
    /// The `next_cursor` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(pattern = "^[A-Za-z0-9_-]+$", nullable = false)]
    cursor: Option<String>,
}

fn usual() -> usize {
    20
}

problems!(ListProblems: InvalidQuery, InvalidCursor, Internal, StoreUnavailable);

/// List jobs
///
/// The prediction history, newest first. Jobs of at most 20 images stand with
/// their results; of larger ones, read the results one by one.
#[utoipa::path(
    tag = "jobs",
    operation_id = "listJobs",
    security(("api_key" = ["jobs:read"])),
    params(ListQuery),
    responses(
        (status = 200, body = JobList, description = "A page of jobs.", headers(
            ("Link" = String, description = "`rel=\"next\"`: the next page, if there is one (RFC 8288)."),
        )),
        ListProblems,
    ),
)]
#[get("/v1/jobs")]
pub(crate) async fn list(
    caller: Caller,
    context: Data<Context>,
    query: Params<ListQuery>,
) -> Result<HttpResponse, Problem> {
    let query = query.0;
    let after = query.checked()?;
    let filter = JobFilter { status: query.status.map(Into::into), model: query.model.clone() };
    let page = context
        .store()
        .list(&caller.tenant, &filter, after.map(|cursor| cursor.0), query.limit)
        .await?;
    let next_cursor = page.next.map(|position| Cursor(position).to_string());
    let data: Vec<Job> = stream::iter(page.jobs)
        .map(|job| lookup::in_brief(&context, &caller, job))
        .buffered(READS)
        .try_collect()
        .await?;

    let mut response = HttpResponse::Ok();
    if let Some(cursor) = &next_cursor {
        response.insert_header((LINK, query.link_to(cursor)?));
    }
    Ok(response.json(JobList { data, next_cursor }))
}

impl ListQuery {
    fn checked(&self) -> Result<Option<Cursor>, Problem> {
        if !(1..=MAX_LIMIT).contains(&self.limit) {
            let detail = format!("not from 1 to {MAX_LIMIT}");
            return Err(Problem::new(Code::InvalidQuery, format!("limit: {detail}."))
                .with_errors(vec![FieldError::of_parameter("limit", detail)]));
        }
        self.cursor.as_deref().map(str::parse).transpose()
    }

    /// The same list from another place on.
    fn link_to(self, cursor: &str) -> Result<String, Problem> {
        let next = Self { cursor: Some(cursor.to_owned()), ..self };
        let query = serde_urlencoded::to_string(next).map_err(Problem::internal)?;
        Ok(format!("</v1/jobs?{query}>; rel=\"next\""))
    }
}
