//! Reading jobs for a caller.

use aisle_shared::domain::{Job, JobId};
use aisle_shared::store::{Found, StoreError};

use crate::caller::Caller;
use crate::context::Context;
use crate::problem::{Code, Problem};
use crate::view::{self, Results};

/// Jobs of at most this many images carry their results in lists and events.
const INLINE_RESULTS: u32 = 20;

/// A job, or why there is none.
pub(crate) async fn find(context: &Context, caller: &Caller, id: &JobId) -> Result<Job, Problem> {
    match context.store().find(&caller.tenant, id).await? {
        Found::Job(job) => Ok(*job),
        Found::Expired => {
            let detail = format!("Job {id} was deleted or outlived its retention.");
            Err(Problem::new(Code::JobGone, detail))
        }
        Found::Unknown => Err(Problem::new(Code::JobNotFound, format!("There is no job {id}."))),
    }
}

/// What a verb's refusal means: a job that is not found may also be gone.
pub(crate) async fn refusal(
    context: &Context,
    caller: &Caller,
    id: &JobId,
    error: StoreError,
) -> Problem {
    match error {
        StoreError::NotFound => match find(context, caller, id).await {
            // Gone when asked, there when looked at: only a race can tell so.
            Ok(_) => StoreError::NotFound.into(),
            Err(problem) => problem,
        },
        StoreError::Unavailable { .. }
        | StoreError::Full { .. }
        | StoreError::Closed
        | StoreError::Exhausted { .. }
        | StoreError::KeyReused
        | StoreError::KeyInProgress
        | StoreError::Stale
        | StoreError::Invalid(_)
        | StoreError::Corrupt(_)
        | StoreError::Config(_) => error.into(),
    }
}

/// A job with the results of places `first..first + limit`.
pub(crate) async fn with_results(
    context: &Context,
    caller: &Caller,
    job: Job,
    first: u32,
    limit: u32,
) -> Result<view::Job, Problem> {
    let end = first.saturating_add(limit);
    let items = if job.status == aisle_shared::domain::JobStatus::Queued {
        Vec::new()
    } else {
        match context.store().results(&caller.tenant, &job.id, first, limit).await {
            Ok(items) => items,
            Err(error) => return Err(refusal(context, caller, &job.id, error).await),
        }
    };
    Ok(view::Job::new(job, Results { items, end }))
}

/// A job with its results if it is small.
pub(crate) async fn in_brief(
    context: &Context,
    caller: &Caller,
    job: Job,
) -> Result<view::Job, Problem> {
    if job.items.total <= INLINE_RESULTS {
        with_results(context, caller, job, 0, INLINE_RESULTS).await
    } else {
        Ok(view::Job::new(job, Results::default()))
    }
}
