//! What callers read of their own jobs. Every query names the tenant; open
//! jobs are not there yet.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::values::Json;
use crate::domain::{ItemCounts, ItemResult, Job, JobId, JobStatus, TenantId};
use crate::store::{Found, JobFilter, JobPage, ListPosition, StoreError};

/// Jobs that one page looks at, matching or not.
const LOOKED_AT_PER_PAGE: usize = 1_000;

/// Jobs that one page has at most.
const LARGEST_PAGE: usize = 100;

const JOB: &str = "
    SELECT j.id, j.tenant, l.model, l.band, j.options, j.metadata, j.status, j.total,
           j.succeeded, j.failed, j.canceled, j.created_at, j.started_at, j.completed_at,
           j.expires_at, j.callback, j.cancel_requested, j.version, j.cached
    FROM jobs j CROSS JOIN lanes l ON l.id = j.lane
    WHERE j.tenant = ?1 AND j.status <> 'open'";

fn job_of(row: &Row<'_>) -> rusqlite::Result<Job> {
    Ok(Job {
        id: row.get("id")?,
        tenant: row.get("tenant")?,
        model: row.get("model")?,
        priority: row.get("band")?,
        options: row.get::<_, Json<_>>("options")?.0,
        metadata: row.get::<_, Json<_>>("metadata")?.0,
        status: row.get("status")?,
        items: ItemCounts {
            total: row.get("total")?,
            succeeded: row.get("succeeded")?,
            failed: row.get("failed")?,
            canceled: row.get("canceled")?,
        },
        cached: row.get("cached")?,
        created_at: row.get("created_at")?,
        started_at: row.get("started_at")?,
        completed_at: row.get("completed_at")?,
        expires_at: row.get("expires_at")?,
        callback: row.get::<_, Option<Json<_>>>("callback")?.map(|callback| callback.0),
        cancel_requested: row.get("cancel_requested")?,
        version: row.get("version")?,
    })
}

/// The job of that id.
pub(super) fn find(db: &Connection, tenant: &TenantId, id: &JobId) -> Result<Found, StoreError> {
    let mut select = db.prepare_cached(&format!("{JOB} AND j.id = ?2"))?;
    if let Some(job) = select.query_row(params![tenant, id], job_of).optional()? {
        return Ok(Found::Job(Box::new(job)));
    }
    let buried: bool = db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM tombstones WHERE job = ?1 AND tenant = ?2)")?
        .query_row(params![id, tenant], |row| row.get(0))?;
    Ok(if buried { Found::Expired } else { Found::Unknown })
}

/// The job of that id, and if it has ended its items with places in
/// `first..first + limit`. Two looks: none of what an ended job has changes, but
/// it may be gone between them, and then it is gone.
pub(super) fn find_ended(
    db: &Connection,
    tenant: &TenantId,
    id: &JobId,
    first: u32,
    limit: u32,
) -> Result<(Found, Vec<ItemResult>), StoreError> {
    let found = find(db, tenant, id)?;
    let has_ended = matches!(&found, Found::Job(job) if job.status.is_terminal());
    if !has_ended {
        return Ok((found, Vec::new()));
    }
    match results(db, tenant, id, first, limit) {
        Ok(items) => Ok((found, items)),
        Err(StoreError::NotFound) => Ok((find(db, tenant, id)?, Vec::new())),
        Err(error) => Err(error),
    }
}

/// Ended items of a job with places in `first..first + limit`.
pub(super) fn results(
    db: &Connection,
    tenant: &TenantId,
    id: &JobId,
    first: u32,
    limit: u32,
) -> Result<Vec<ItemResult>, StoreError> {
    let known: bool = db
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM jobs WHERE id = ?1 AND tenant = ?2 AND status <> 'open')",
        )?
        .query_row(params![id, tenant], |row| row.get(0))?;
    if !known {
        return Err(StoreError::NotFound);
    }
    let mut select = db.prepare_cached(
        "SELECT idx, outcome FROM results WHERE job = ?1 AND idx >= ?2 AND idx < ?3 ORDER BY idx",
    )?;
    let end = u64::from(first) + u64::from(limit);
    let rows = select.query_map(params![id, first, end], |row| {
        Ok(ItemResult { index: row.get(0)?, outcome: row.get::<_, Json<_>>(1)?.0 })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A page of the tenant's jobs, newest first.
pub(super) fn list(
    db: &Connection,
    tenant: &TenantId,
    filter: &JobFilter,
    after: Option<ListPosition>,
    limit: usize,
) -> Result<JobPage, StoreError> {
    let limit = limit.clamp(1, LARGEST_PAGE);
    let mut select = db.prepare_cached(&format!(
        "{JOB} AND (j.created_at, j.id) < (?2, ?3) ORDER BY j.created_at DESC, j.id DESC"
    ))?;
    // No job is as new as the end of time, so the id beside it is no matter.
    let mut rows = match after {
        Some(place) => select.query(params![tenant, place.created_at, place.id])?,
        None => select.query(params![tenant, i64::MAX, ""])?,
    };
    let mut page = JobPage::default();
    let mut last = None;
    let mut looked_at = 0;
    while let Some(row) = rows.next()? {
        if page.jobs.len() == limit || looked_at == LOOKED_AT_PER_PAGE {
            page.next = last;
            break;
        }
        looked_at += 1;
        last = Some(ListPosition { created_at: row.get("created_at")?, id: row.get("id")? });
        if matches(filter, row)? {
            page.jobs.push(job_of(row)?);
        }
    }
    Ok(page)
}

fn matches(filter: &JobFilter, row: &Row<'_>) -> rusqlite::Result<bool> {
    if let Some(model) = &filter.model
        && row.get_ref("model")?.as_str()? != model.as_str()
    {
        return Ok(false);
    }
    match filter.status {
        None => Ok(true),
        Some(wanted) => Ok(row.get::<_, JobStatus>("status")? == wanted),
    }
}
