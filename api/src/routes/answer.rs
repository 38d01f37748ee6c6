//! What answers that carry a job have in common.

use actix_web::http::StatusCode;
use actix_web::http::header::{ETag, EntityTag, Header, IfNoneMatch, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use aisle_shared::domain::Job;

/// Seconds after which an unfinished job is worth another look.
const POLL_SECONDS: u32 = 1;

/// An answer with the headers that a job's state brings: its entity tag, and
/// when to come back while it has not ended.
pub(crate) fn of_job(status: StatusCode, job: &Job) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response.insert_header(ETag(tag(job)));
    if !job.status.is_terminal() {
        response.insert_header((RETRY_AFTER, POLL_SECONDS));
    }
    response
}

fn tag(job: &Job) -> EntityTag {
    EntityTag::new_strong(job.version.to_string())
}

/// The states of a job that a caller has seen already (`If-None-Match`).
pub(crate) struct Seen(IfNoneMatch);

impl Seen {
    pub(crate) fn by(request: &HttpRequest) -> Self {
        Self(IfNoneMatch::parse(request).unwrap_or(IfNoneMatch::Items(Vec::new())))
    }

    /// Whether the caller named any state.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(&self.0, IfNoneMatch::Items(tags) if tags.is_empty())
    }

    /// Whether the caller has the job as it is.
    pub(crate) fn holds(&self, job: &Job) -> bool {
        match &self.0 {
            IfNoneMatch::Any => true,
            IfNoneMatch::Items(tags) => tags.iter().any(|seen| seen.weak_eq(&tag(job))),
        }
    }
}
