//! `GET /v1/jobs/{id}/events`: a job's states as server-sent events.
//!
//! Each event is a snapshot, so a follower that missed some has missed
//! nothing: what it sees last is the truth.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CONTENT_TYPE, HeaderName};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use aisle_shared::domain::{Job, JobId};
use aisle_shared::store::JobWatch;
use bytes::Bytes;
use futures::{Stream, stream};
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::caller::Caller;
use crate::context::Context;
use crate::http::JobPath;
use crate::problem::{Problem, problems};
use crate::wait::{self, REREAD};
use crate::{lookup, view};

/// Silence after which a comment shows that the stream lives.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Changes that follow each other faster than this are one event.
const PACE: Duration = Duration::from_millis(100);

problems!(EventsProblems: JobNotFound, JobGone, Internal, StoreUnavailable);

/// One event of the stream.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the event's shape in the document; its text is written below")]
pub(crate) struct JobEvent {
    /// Always `job`.
    #[schema(pattern = "^job$", example = "job")]
    event: String,
    /// Names the job's state, for `Last-Event-ID`.
    #[schema(example = "3")]
    id: String,
    /// The job as JSON: what `GET /v1/jobs/{id}` answers.
    #[schema(
        example = "{\"id\":\"019a3c5e-7b1f-7c3a-9d52-1f0e6a8b4c2d\",\"status\":\"succeeded\"}"
    )]
    data: String,
}

/// Follow a job
///
/// A stream of server-sent events named `job`: the job as it stands, then
/// after each change, until it has ended. An event's id names that state:
/// sent back as `Last-Event-ID`, a state that is still the latest is not
/// repeated. Results stand in events of jobs of at most 20 images.
#[utoipa::path(
    tag = "jobs",
    operation_id = "followJob",
    security(("api_key" = ["jobs:read"])),
    params(
        ("id" = String, Path, format = Uuid, description = "The job's id."),
        ("Last-Event-ID" = Option<String>, Header, nullable = false,
            description = "The id of the last event seen."),
    ),
    responses(
        (status = 200, content_type = "text/event-stream", body = JobEvent,
            description = "Events until the job has ended.",
            ),
        (status = 204, description = "The job has ended, and `Last-Event-ID` is its last state: \
            there will be no more events."),
        EventsProblems,
    ),
)]
#[get("/v1/jobs/{id}/events")]
pub(crate) async fn events(
    caller: Caller,
    context: Data<Context>,
    id: JobPath,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let seen = last_event_id(&request);
    let feed = Feed::new(context.into_inner(), caller, id.0, seen);
    let job = lookup::find(&feed.context, &feed.caller, &feed.id).await?;
    if job.status.is_terminal() && seen == Some(job.version) {
        return Ok(HttpResponse::NoContent().finish());
    }
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((HeaderName::from_static("x-accel-buffering"), "no"))
        .streaming(feed.into_stream()))
}

fn last_event_id(request: &HttpRequest) -> Option<u64> {
    request.headers().get("last-event-id")?.to_str().ok()?.trim().parse().ok()
}

/// One follower of a job.
struct Feed {
    context: Arc<Context>,
    caller: Caller,
    id: JobId,
    watch: JobWatch,
    seen: Option<u64>,
    last_sent: Instant,
    ended: bool,
}

impl Feed {
    fn new(context: Arc<Context>, caller: Caller, id: JobId, seen: Option<u64>) -> Self {
        let watch = context.store().watch(&id);
        Self { context, caller, id, watch, seen, last_sent: Instant::now(), ended: false }
    }

    fn into_stream(self) -> impl Stream<Item = Result<Bytes, Problem>> {
        stream::unfold(self, |mut feed| async move {
            let chunk = feed.next().await?;
            Some((Ok(chunk), feed))
        })
    }

    /// The next event or heartbeat; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        while !self.ended && !self.context.shutdown.is_cancelled() {
            // A job that is gone, or a key or a store that is: the caller comes
            // back and is told so by status.
            let job = wait::look(&self.context, &self.caller, &self.id).await.ok()?;
            if self.seen != Some(job.version) {
                return self.event(job).await;
            }
            self.ended = job.status.is_terminal();
            if self.last_sent.elapsed() >= HEARTBEAT {
                self.last_sent = Instant::now();
                return Some(Bytes::from_static(b": still here\n\n"));
            }
            if !self.ended {
                wait::change(&self.context, self.watch.changed(REREAD)).await;
            }
        }
        None
    }

    async fn event(&mut self, job: Job) -> Option<Bytes> {
        if self.seen.is_some() && !job.status.is_terminal() {
            tokio::time::sleep_until(self.last_sent + PACE).await;
        }
        let version = job.version;
        self.ended = job.status.is_terminal();
        let job = lookup::in_brief(&self.context, &self.caller, job).await.ok()?;
        self.seen = Some(version);
        self.last_sent = Instant::now();
        event_text(version, &job)
    }
}

fn event_text(version: u64, job: &view::Job) -> Option<Bytes> {
    // JSON has no raw line break, so the data is one line.
    let data = serde_json::to_string(job).ok()?;
    Some(format!("event: job\nid: {version}\ndata: {data}\n\n").into())
}
