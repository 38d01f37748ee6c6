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
        let job = lookup::find(context, caller, id).await?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || done(&job) || context.shutdown.is_cancelled() {
            return Ok(job);
        }
        change(context, &mut watch, left.min(REREAD)).await;
    }
}

/// Returns when the job may have changed, after `timeout`, or when the service
/// stops.
pub(crate) async fn change(context: &Context, watch: &mut JobWatch, timeout: Duration) {
    tokio::select! {
        () = watch.changed(timeout) => {}
        () = context.shutdown.cancelled() => {}
    }
}
