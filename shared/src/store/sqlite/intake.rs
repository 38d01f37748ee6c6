//! Jobs come in: in one step, or opened, filled and sealed. Until sealed, a
//! job has items in state `held`, and neither a reader nor a worker sees it.

use bytes::Bytes;
use rusqlite::{OptionalExtension, params};

use super::admission::{self, Gate, Load};
use super::lane::Lane;
use super::step::Step;
use super::uploads::put;
use super::values::{duration_millis, json};
use crate::domain::{
    Idempotency, ItemRef, JobId, ModelName, NewItem, NewJob, Priority, TenantId, TraceParent,
};
use crate::store::{Enqueued, MAX_ITEMS_PER_CALL, MAX_ITEMS_PER_JOB, StoreError, check_content};

/// A job as its row wants it, made before the writer is bothered.
pub(super) struct JobRow {
    id: JobId,
    tenant: TenantId,
    weight: u32,
    model: ModelName,
    priority: Priority,
    options: String,
    metadata: String,
    max_attempts: u32,
    retention_ms: i64,
    callback: Option<String>,
    trace: Option<TraceParent>,
    idempotency: Option<Idempotency>,
}

impl JobRow {
    /// The row of a new job.
    pub(super) fn new(job: &NewJob) -> Result<Self, StoreError> {
        Ok(Self {
            id: job.id,
            tenant: job.tenant.clone(),
            weight: job.weight,
            model: job.model.clone(),
            priority: job.priority,
            options: json(&job.options)?,
            metadata: json(&job.metadata)?,
            max_attempts: job.max_attempts,
            // Half of the range, so that a time plus a retention is still a time.
            retention_ms: duration_millis(job.retention).min(i64::MAX / 2),
            callback: job.callback.as_ref().map(json).transpose()?,
            trace: job.trace.clone(),
            idempotency: job.idempotency.clone(),
        })
    }
}

/// An item as its row wants it.
pub(super) struct ItemRow {
    source: String,
    bytes: u64,
    content: Option<Bytes>,
}

/// The items as their rows want them.
///
/// # Errors
/// [`StoreError::Invalid`] for none or more than one call takes, or bytes that
/// it does not take along.
pub(super) fn rows(items: &[NewItem]) -> Result<Vec<ItemRow>, StoreError> {
    if items.is_empty() || items.len() > MAX_ITEMS_PER_CALL {
        return Err(StoreError::Invalid("one call takes 1 to 200 items"));
    }
    check_content(items)?;
    let row = |item: &NewItem| {
        let NewItem { source, bytes, content } = item;
        Ok(ItemRow { source: json(source)?, bytes: *bytes, content: content.clone() })
    };
    items.iter().map(row).collect()
}

/// Writes a job with all its items, ready at once.
pub(super) fn enqueue(
    step: &mut Step<'_>,
    job: &JobRow,
    items: &[ItemRow],
    gate: &Gate,
) -> Result<Enqueued, StoreError> {
    let total = u32::try_from(items.len()).unwrap_or(u32::MAX);
    let bytes = items.iter().map(|item| item.bytes).sum();
    if let Some(known) = admit(step, job, Load { items: total.into(), bytes }, gate)? {
        return Ok(known);
    }
    let lane = insert_job(step, job, "queued", total)?;
    let tags = lane.tag(step.db, &job.tenant, job.weight, total)?;
    let mut insert = step.db.prepare_cached(
        "INSERT INTO items (job, idx, lane, state, source, bytes, finish)
         VALUES (?1, ?2, ?3, 'ready', ?4, ?5, ?6)",
    )?;
    for (index, ItemRow { source, bytes, content }) in (0..).zip(items) {
        insert.execute(params![job.id, index, lane.id, source, bytes, tags.of(index)])?;
        if let Some(content) = content {
            put(step, ItemRef { job: job.id, index }, content)?;
        }
    }
    step.changes.work(job.model.clone());
    Ok(Enqueued::Created { at: step.now.wall })
}

/// Begins a job that is filled by [`append`].
pub(super) fn open(
    step: &mut Step<'_>,
    job: &JobRow,
    total: u32,
    gate: &Gate,
) -> Result<Enqueued, StoreError> {
    if total == 0 || total > MAX_ITEMS_PER_JOB {
        return Err(StoreError::Invalid("a job has 1 to 10,000 items"));
    }
    // Its uploads are counted as they are appended.
    if let Some(known) = admit(step, job, Load { items: total.into(), bytes: 0 }, gate)? {
        return Ok(known);
    }
    insert_job(step, job, "open", total)?;
    Ok(Enqueued::Created { at: step.now.wall })
}

/// Adds items to an open job; those already there are left alone.
pub(super) fn append(
    step: &mut Step<'_>,
    id: &JobId,
    first: u32,
    items: &[ItemRow],
) -> Result<(), StoreError> {
    let mut select =
        step.db.prepare_cached("SELECT lane, total FROM jobs WHERE id = ?1 AND status = 'open'")?;
    let open = select.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (lane, total): (i64, u32) = open.ok_or(StoreError::NotFound)?;
    let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
    if first.saturating_add(count) > total {
        return Err(StoreError::Invalid("items lie past the job's total"));
    }
    let mut insert = step.db.prepare_cached(
        "INSERT INTO items (job, idx, lane, state, source, bytes)
         VALUES (?1, ?2, ?3, 'held', ?4, ?5) ON CONFLICT (job, idx) DO NOTHING",
    )?;
    for (index, ItemRow { source, bytes, content }) in (first..).zip(items) {
        if content.is_some() {
            return Err(StoreError::Invalid("the items of a large job bring no bytes"));
        }
        insert.execute(params![id, index, lane, source, bytes])?;
    }
    Ok(())
}

/// Makes an open job's items ready.
pub(super) fn seal(step: &mut Step<'_>, id: &JobId) -> Result<(), StoreError> {
    let mut select = step.db.prepare_cached(
        "SELECT j.status = 'open', j.tenant, j.weight, j.total, l.model, l.id,
                l.virtual_time, (SELECT count(*) FROM items WHERE job = j.id)
         FROM jobs j JOIN lanes l ON l.id = j.lane WHERE j.id = ?1",
    )?;
    let found = select.query_row([id], |row| {
        Ok(Unsealed {
            open: row.get(0)?,
            tenant: row.get(1)?,
            weight: row.get(2)?,
            total: row.get(3)?,
            model: row.get(4)?,
            lane: Lane { id: row.get(5)?, virtual_time: row.get(6)? },
            present: row.get(7)?,
        })
    });
    let job = found.optional()?.ok_or(StoreError::NotFound)?;
    if !job.open {
        return Ok(());
    }
    if job.present < job.total {
        return Err(StoreError::Invalid("items of the job are missing"));
    }
    let tags = job.lane.tag(step.db, &job.tenant, job.weight, job.total)?;
    // One statement: ten thousand would each note anew what to undo.
    step.db
        .prepare_cached(
            "UPDATE items SET state = 'ready', finish = ?2 + (idx + 1) * ?3 WHERE job = ?1",
        )?
        .execute(params![id, tags.start, tags.step])?;
    step.db.prepare_cached("UPDATE jobs SET status = 'queued' WHERE id = ?1")?.execute([id])?;
    step.changes.job(*id);
    step.changes.work(job.model);
    Ok(())
}

struct Unsealed {
    open: bool,
    tenant: TenantId,
    weight: u32,
    total: u32,
    model: ModelName,
    lane: Lane,
    present: u32,
}

/// Whether a job of that id is or was there: one that has gone is not begun anew.
fn is_known(step: &Step<'_>, id: &JobId) -> Result<bool, StoreError> {
    let mut select = step.db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM jobs WHERE id = ?1)
             OR EXISTS (SELECT 1 FROM tombstones WHERE job = ?1)",
    )?;
    Ok(select.query_row([id], |row| row.get(0))?)
}

/// Lets a new job in and reserves its caller's key, or tells which job it
/// repeats. What was taken in once is recognised whatever is full by now.
fn admit(
    step: &Step<'_>,
    job: &JobRow,
    load: Load,
    gate: &Gate,
) -> Result<Option<Enqueued>, StoreError> {
    if let Some(idempotency) = &job.idempotency
        && let Some(known) = admission::repeated(step, job.id, &job.tenant, idempotency)?
    {
        return Ok(Some(known));
    }
    if is_known(step, &job.id)? {
        return Ok(Some(Enqueued::Replayed));
    }
    gate.check(step.db, step.now.wall, &job.tenant, load)?;
    if let Some(idempotency) = &job.idempotency {
        admission::remember(step, job.id, &job.tenant, idempotency)?;
    }
    Ok(None)
}

fn insert_job(step: &Step<'_>, job: &JobRow, status: &str, total: u32) -> Result<Lane, StoreError> {
    let lane = Lane::of(step.db, &job.model, job.priority)?;
    let mut insert = step.db.prepare_cached(
        "INSERT INTO jobs (id, tenant, lane, status, total, created_at, retention_ms,
                           max_attempts, weight, options, metadata, callback, trace)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    insert.execute(params![
        job.id,
        job.tenant,
        lane.id,
        status,
        total,
        step.now.wall,
        job.retention_ms,
        job.max_attempts,
        job.weight,
        job.options,
        job.metadata,
        job.callback,
        job.trace,
    ])?;
    Ok(lane)
}
