//! Reading jobs for a caller.

use aisle_shared::domain::{ItemResult, Job, JobId, JobStatus};
use aisle_shared::store::{Found, StoreError};

use crate::caller::Caller;
use crate::context::Context;
use crate::problem::{Code, Problem};
use crate::view::{self, Results};

/// Jobs of at most this many images carry their results in lists and events.
const INLINE_RESULTS: u32 = 20;

/// A job that is asked for, and which of its results.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) id: JobId,
    /// The place of the first.
    pub(crate) first: u32,
    pub(crate) limit: u32,
}

/// A job as it was found.
pub(crate) struct Looked {
    pub(crate) job: Job,
    /// The results that were asked for: those of an ended job come with it.
    items: Option<Vec<ItemResult>>,
}

impl From<Job> for Looked {
    fn from(job: Job) -> Self {
        Self { job, items: None }
    }
}

/// A job, or why there is none.
pub(crate) async fn find(context: &Context, caller: &Caller, id: &JobId) -> Result<Job, Problem> {
    job_of(id, context.store().find(&caller.tenant, id).await?)
}

/// A job, with its results if it has ended, or why there is none.
pub(crate) async fn look(
    context: &Context,
    caller: &Caller,
    wanted: Wanted,
) -> Result<Looked, Problem> {
    let Wanted { id, first, limit } = wanted;
    let (found, items) = context.store().find_ended(&caller.tenant, &id, first, limit).await?;
    let job = job_of(&id, found)?;
    let items = job.status.is_terminal().then_some(items);
    Ok(Looked { job, items })
}

fn job_of(id: &JobId, found: Found) -> Result<Job, Problem> {
    match found {
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

/// A job with the results that are wanted.
pub(crate) async fn with_results(
    context: &Context,
    caller: &Caller,
    looked: Looked,
    wanted: Wanted,
) -> Result<view::Job, Problem> {
    let Wanted { first, limit, .. } = wanted;
    let end = first.saturating_add(limit);
    let Looked { job, items } = looked;
    let items = match items {
        Some(items) => items,
        None if job.status == JobStatus::Queued => Vec::new(),
        None => match context.store().results(&caller.tenant, &job.id, first, limit).await {
            Ok(items) => items,
            Err(error) => return Err(refusal(context, caller, &job.id, error).await),
        },
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
        let wanted = Wanted { id: job.id, first: 0, limit: INLINE_RESULTS };
        with_results(context, caller, job.into(), wanted).await
    } else {
        Ok(view::Job::new(job, Results::default()))
    }
}
