//! Waiting for a job to change, woken by the store.

use std::time::Duration;

use aisle_shared::domain::{Job, JobId};
use aisle_shared::store::JobWatch;
use tokio::time::Instant;

use crate::caller::Caller;
use crate::context::Context;
use crate::lookup::{self, Looked, Wanted};
use crate::problem::Problem;

/// A waker may be lost (another process, a broken connection), so a job is
/// read again this often in any case.
pub(crate) const REREAD: Duration = Duration::from_secs(1);

/// The job as soon as `done` holds of it, or as it stands when the wait is
/// over or the service stops. Without a wait, as it stands now.
pub(crate) async fn until(
    context: &Context,
    caller: &Caller,
    id: &JobId,
    wait: Option<Duration>,
    done: impl Fn(&Job) -> bool,
) -> Result<Job, Problem> {
    let Some(wait) = wait else { return lookup::find(context, caller, id).await };
    let mut watch = context.store().watch(id);
    let end = Instant::now() + wait;
    loop {
        let job = look(context, caller, id).await?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || done(&job) || context.shutdown.is_cancelled() {
            return Ok(job);
        }
        change(context, watch.changed(left.min(REREAD))).await;
    }
}

/// The job once it has ended, or as it stands when the wait is over or the
/// service stops. Without a wait, as it stands now.
pub(crate) async fn until_end(
    context: &Context,
    caller: &Caller,
    wanted: Wanted,
    wait: Option<Duration>,
) -> Result<Looked, Problem> {
    let Some(wait) = wait else { return lookup::look(context, caller, wanted).await };
    let watch = context.store().watch_end(&wanted.id);
    let looked = look_for(context, caller, wanted).await?;
    until_ended(context, caller, (wanted, looked), watch, wait).await
}

/// The job once it has ended, or as it stands when the wait is over or the
/// service stops. `looked` is what is known of it since its end is watched for,
/// so it is not read before it has ended or a while has gone by.
pub(crate) async fn until_ended(
    context: &Context,
    caller: &Caller,
    (wanted, mut looked): (Wanted, Looked),
    mut watch: JobWatch,
    wait: Duration,
) -> Result<Looked, Problem> {
    let end = Instant::now() + wait;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || looked.job.status.is_terminal() || context.shutdown.is_cancelled() {
            return Ok(looked);
        }
        change(context, watch.changed(left.min(REREAD))).await;
        looked = look_for(context, caller, wanted).await?;
    }
}

/// The job for a caller who may have waited: its key must work still.
pub(crate) async fn look(context: &Context, caller: &Caller, id: &JobId) -> Result<Job, Problem> {
    confirm(context, caller).await?;
    lookup::find(context, caller, id).await
}

/// The same with its results, if it has ended.
async fn look_for(context: &Context, caller: &Caller, wanted: Wanted) -> Result<Looked, Problem> {
    confirm(context, caller).await?;
    lookup::look(context, caller, wanted).await
}

async fn confirm(context: &Context, caller: &Caller) -> Result<(), Problem> {
    match caller.key_id() {
        Some(key) => context.keyring.confirm(context.store(), &key).await,
        None => Ok(()),
    }
}

/// Returns when what is waited for has come, or when the service stops.
pub(crate) async fn change(context: &Context, awaited: impl Future<Output = ()>) {
    tokio::select! {
        () = awaited => {}
        () = context.shutdown.cancelled() => {}
    }
}
