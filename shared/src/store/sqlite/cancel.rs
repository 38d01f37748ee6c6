//! Canceling: what waits ends here and now, what runs is left to its worker,
//! which hears of it when it extends its lease.

use rusqlite::{OptionalExtension, params};

use super::ending::{Ending, count_ended};
use super::step::Step;
use crate::domain::{ItemCounts, ItemOutcome, JobId, JobStatus, TenantId};
use crate::store::{Canceled, StoreError};

/// Cancels a job.
pub(super) fn cancel(
    step: &mut Step<'_>,
    tenant: &TenantId,
    id: &JobId,
) -> Result<Canceled, StoreError> {
    let mut select = step.db.prepare_cached(
        "SELECT status FROM jobs WHERE id = ?1 AND tenant = ?2 AND status <> 'open'",
    )?;
    let status = select.query_row(params![id, tenant], |row| row.get(0)).optional()?;
    match status.ok_or(StoreError::NotFound)? {
        JobStatus::Canceled => Ok(Canceled::Requested { items: Vec::new() }),
        ended @ (JobStatus::Succeeded | JobStatus::Partial | JobStatus::Failed) => {
            Ok(Canceled::AlreadyEnded(ended))
        }
        JobStatus::Queued | JobStatus::Processing => {
            let flagged = step
                .db
                .prepare_cached(
                    "UPDATE jobs SET cancel_requested = 1, version = version + 1
                     WHERE id = ?1 AND cancel_requested = 0",
                )?
                .execute([id])?;
            if flagged > 0 {
                step.changes.job(*id);
            }
            Ok(Canceled::Requested { items: end_waiting(step, *id)? })
        }
    }
}

/// Ends every item of a job that is not running as canceled, and its bytes with
/// it; returns their places.
fn end_waiting(step: &mut Step<'_>, job: JobId) -> Result<Vec<u32>, StoreError> {
    let canceled = Ending::new(&ItemOutcome::Canceled)?;
    step.db
        .prepare_cached(
            "INSERT INTO results (job, idx, outcome)
             SELECT job, idx, ?2 FROM items WHERE job = ?1 AND state <> 'running' ORDER BY idx",
        )?
        .execute(params![job, canceled.json])?;
    step.db
        .prepare_cached(
            "DELETE FROM uploads WHERE job = ?1
             AND item IN (SELECT idx FROM items WHERE job = ?1 AND state <> 'running')",
        )?
        .execute([job])?;
    let mut remove = step
        .db
        .prepare_cached("DELETE FROM items WHERE job = ?1 AND state <> 'running' RETURNING idx")?;
    let mut ended =
        remove.query_map([job], |row| row.get(0))?.collect::<rusqlite::Result<Vec<u32>>>()?;
    drop(remove);
    ended.sort_unstable();
    let count = u32::try_from(ended.len()).unwrap_or(u32::MAX);
    if count > 0 {
        count_ended(step, job, ItemCounts { canceled: count, ..ItemCounts::default() })?;
    }
    Ok(ended)
}
