//! Waiting for a job to change, woken by the store.

use std::time::Duration;

use aisle_shared::domain::{Job, JobId};
use aisle_shared::store::JobWatch;
use tokio::time::Instant;

use crate::caller::Caller;
use crate::context::Context;
use crate::lookup;
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
        change(context, &mut watch, left.min(REREAD)).await;
    }
}

/// The job for a caller who may have waited: its key must work still.
pub(crate) async fn look(context: &Context, caller: &Caller, id: &JobId) -> Result<Job, Problem> {
    if let Some(key) = caller.key_id() {
        context.keyring.confirm(context.store(), &key).await?;
    }
    lookup::find(context, caller, id).await
}

/// Returns when the job may have changed, after `timeout`, or when the service
/// stops.
pub(crate) async fn change(context: &Context, watch: &mut JobWatch, timeout: Duration) {
    tokio::select! {
        () = watch.changed(timeout) => {}
        () = context.shutdown.cancelled() => {}
    }
}
