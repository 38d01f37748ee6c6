//! How an item ends, whoever ends it: its row becomes a result, the job's
//! counts move, and the job's last item ends the job and writes whom to tell.
//! All in one step.

use rusqlite::params;

use super::admission::note_drained;
use super::step::Step;
use super::uploads;
use super::values::{Json, json};
use super::webhooks::{Ended, write_deliveries};
use crate::domain::{
    Callback, ItemCounts, ItemError, ItemOutcome, ItemRef, JobId, JobStatus, TenantId, Timestamp,
};
use crate::store::ended::JobEnd;
use crate::store::{MAX_OUTCOME_BYTES, StoreError};

/// An outcome as it is recorded.
pub(super) struct Ending {
    kind: Kind,
    pub(super) json: String,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Succeeded { cached: bool },
    Failed,
    Canceled,
}

impl Ending {
    /// The record of an outcome.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when it is too large to be kept.
    pub(super) fn new(outcome: &ItemOutcome) -> Result<Self, StoreError> {
        let kind = match outcome {
            ItemOutcome::Succeeded(answer) => Kind::Succeeded { cached: answer.cached },
            ItemOutcome::Failed(_) => Kind::Failed,
            ItemOutcome::Canceled => Kind::Canceled,
        };
        let json = json(outcome)?;
        if json.len() > MAX_OUTCOME_BYTES {
            return Err(StoreError::Invalid("an outcome has at most 1 MiB as JSON"));
        }
        Ok(Self { kind, json })
    }
}

/// Ends an item; its bytes go with it. Returns the job's final status if it was
/// the last.
pub(super) fn end_item(
    step: &mut Step<'_>,
    item: ItemRef,
    ending: &Ending,
) -> Result<Option<JobStatus>, StoreError> {
    uploads::delete(step, item)?;
    record(step, item, ending)
}

fn record(
    step: &mut Step<'_>,
    item: ItemRef,
    ending: &Ending,
) -> Result<Option<JobStatus>, StoreError> {
    step.db
        .prepare_cached("INSERT INTO results (job, idx, outcome) VALUES (?1, ?2, ?3)")?
        .execute(params![item.job, item.index, ending.json])?;
    step.db
        .prepare_cached("DELETE FROM items WHERE job = ?1 AND idx = ?2")?
        .execute(params![item.job, item.index])?;
    let mut ended = ItemCounts::default();
    match ending.kind {
        Kind::Succeeded { cached } => {
            ended.succeeded = 1;
            if cached {
                count_cached(step, item.job)?;
            }
        }
        Kind::Failed => ended.failed = 1,
        Kind::Canceled => ended.canceled = 1,
    }
    count_ended(step, item.job, ended)
}

/// Counts an answer that was there already. The step that counts its item
/// follows, and tells of both.
fn count_cached(step: &Step<'_>, job: JobId) -> Result<(), StoreError> {
    step.db.prepare_cached("UPDATE jobs SET cached = cached + 1 WHERE id = ?1")?.execute([job])?;
    Ok(())
}

/// Ends an item whose job was canceled.
pub(super) fn end_canceled(
    step: &mut Step<'_>,
    item: ItemRef,
) -> Result<Option<JobStatus>, StoreError> {
    end_item(step, item, &Ending::new(&ItemOutcome::Canceled)?)
}

/// Ends an item for good although nobody could say how it would have ended. It
/// keeps its image, for those who look into it.
pub(super) fn end_dead(
    step: &mut Step<'_>,
    item: ItemRef,
    error: &ItemError,
) -> Result<Option<JobStatus>, StoreError> {
    step.db
        .prepare_cached("INSERT INTO dead_letters (job, idx, at, error) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![item.job, item.index, step.now.wall, json(error)?])?;
    record(step, item, &Ending::new(&ItemOutcome::Failed(error.clone()))?)
}

/// Moves the job's counts, and the job to its final status when they are
/// complete.
pub(super) fn count_ended(
    step: &mut Step<'_>,
    job: JobId,
    ended: ItemCounts,
) -> Result<Option<JobStatus>, StoreError> {
    let counts = step
        .db
        .prepare_cached(
            "UPDATE jobs SET succeeded = succeeded + ?2, failed = failed + ?3,
                             canceled = canceled + ?4, version = version + 1
             WHERE id = ?1 RETURNING total, succeeded, failed, canceled",
        )?
        .query_row(params![job, ended.succeeded, ended.failed, ended.canceled], |row| {
            Ok(ItemCounts {
                total: row.get(0)?,
                succeeded: row.get(1)?,
                failed: row.get(2)?,
                canceled: row.get(3)?,
            })
        })?;
    note_drained(step, ended.ended().into())?;
    step.changes.job(job);
    let status = counts.final_status();
    if let Some(status) = status {
        let (tenant, callback) = end_job(step, job, status)?;
        write_deliveries(step, &Ended { job, status, items: counts }, &tenant, callback)?;
    }
    Ok(status)
}

/// Answers whose job it was, and whom it named to be told.
fn end_job(
    step: &mut Step<'_>,
    job: JobId,
    status: JobStatus,
) -> Result<(TenantId, Option<Callback>), StoreError> {
    let mut update = step.db.prepare_cached(
        "UPDATE jobs SET status = ?2, completed_at = ?3, expires_at = ?3 + retention_ms
         WHERE id = ?1 RETURNING tenant, callback, created_at,
             (SELECT model FROM lanes WHERE lanes.id = jobs.lane)",
    )?;
    let (tenant, callback, created, model) =
        update.query_row(params![job, status, step.now.wall], |row| {
            let callback = row.get::<_, Option<Json<_>>>(1)?.map(|callback| callback.0);
            Ok((row.get(0)?, callback, row.get::<_, Timestamp>(2)?, row.get(3)?))
        })?;
    let took = step.now.wall.since(created);
    step.changes.ended(job, JobEnd { model, status, took });
    Ok((tenant, callback))
}
