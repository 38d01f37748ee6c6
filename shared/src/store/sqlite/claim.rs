//! Work goes out: delayed items that are due come back first, then an item
//! that must run alone, then the bands.
//!
//! A claim that finds nothing writes nothing, so idle workers cost no disk.

use bytes::Bytes;
use rusqlite::{OptionalExtension, params};

use super::admission::switches;
use super::ending::end_canceled;
use super::lane::{Lane, model_of};
use super::step::Step;
use super::uploads;
use super::values::Json;
use crate::domain::{
    ItemRef, ItemSource, JobOptions, ModelName, Priority, TenantId, Timestamp, TraceParent,
};
use crate::store::{
    ClaimRequest, Claimed, LONGEST_LEASE, Lease, LeaseToken, MAX_CLAIMED_PER_CALL,
    MAX_CONTENT_BYTES, StoreError,
};

/// Delayed items that one claim brings back at most.
const PROMOTED_PER_CLAIM: i64 = 100;

/// Every claim of that number looks at the bands in reverse.
const REVERSED_EVERY: u64 = 8;

/// Hands out up to `max` items.
pub(super) fn claim(
    step: &mut Step<'_>,
    request: &ClaimRequest,
) -> Result<Vec<Claimed>, StoreError> {
    let room = if request.with_content { MAX_CONTENT_BYTES } else { 0 };
    let mut claimed = Handed { items: Vec::new(), room };
    if switches(step.db)?.paused {
        return Ok(claimed.items);
    }
    promote_due(step)?;
    if request.max == 0 {
        return Ok(claimed.items);
    }
    let lanes = lanes_of(step, &request.model)?;
    for lane in &lanes {
        take_from(step, *lane, Sort::Solo, 1, request, &mut claimed)?;
        if !claimed.items.is_empty() {
            return Ok(claimed.items);
        }
    }
    let max = request.max.min(MAX_CLAIMED_PER_CALL);
    let turn = turns_taken(step, &request.model)? + 1;
    let order: Vec<Lane> =
        if turn.is_multiple_of(REVERSED_EVERY) { lanes.into_iter().rev().collect() } else { lanes };
    for lane in order {
        take_from(step, lane, Sort::Plain, max, request, &mut claimed)?;
    }
    if !claimed.items.is_empty() {
        step.db
            .prepare_cached("INSERT OR REPLACE INTO turns (model, claims) VALUES (?1, ?2)")?
            .execute(params![request.model, turn])?;
    }
    Ok(claimed.items)
}

/// What a claim has handed out so far.
struct Handed {
    items: Vec<Claimed>,
    /// Bytes of uploads that may still come along.
    room: usize,
}

/// Whether an item may share its claim with others.
#[derive(Debug, Clone, Copy)]
enum Sort {
    Plain,
    Solo,
}

impl Sort {
    const fn is_solo(self) -> bool {
        match self {
            Self::Plain => false,
            Self::Solo => true,
        }
    }
}

/// Brings delayed items back that are due, to the front of their lanes.
fn promote_due(step: &mut Step<'_>) -> Result<(), StoreError> {
    let mut update = step.db.prepare_cached(PROMOTE_DUE)?;
    let mut lanes = update
        .query_map(params![step.now.wall, PROMOTED_PER_CLAIM], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    drop(update);
    lanes.sort_unstable();
    lanes.dedup();
    for lane in lanes {
        step.changes.work(model_of(step.db, lane)?);
    }
    Ok(())
}

pub(super) const PROMOTE_DUE: &str = "
    UPDATE items SET state = 'ready', due = NULL,
           finish = (SELECT virtual_time FROM lanes WHERE id = items.lane)
    WHERE (job, idx) IN (SELECT job, idx FROM items INDEXED BY items_delayed
                         WHERE state = 'delayed' AND due <= ?1 ORDER BY due LIMIT ?2)
    RETURNING lane";

/// The model's lanes, most urgent first.
fn lanes_of(step: &Step<'_>, model: &ModelName) -> Result<Vec<Lane>, StoreError> {
    let lanes = Priority::ALL.into_iter().map(|priority| Lane::find(step.db, model, priority));
    lanes.filter_map(Result::transpose).collect()
}

fn turns_taken(step: &Step<'_>, model: &ModelName) -> Result<u64, StoreError> {
    let mut select = step.db.prepare_cached("SELECT claims FROM turns WHERE model = ?1")?;
    Ok(select.query_row([model], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// Claims from one lane, lowest finish tag first, until `max` are handed out.
fn take_from(
    step: &mut Step<'_>,
    lane: Lane,
    sort: Sort,
    max: usize,
    request: &ClaimRequest,
    claimed: &mut Handed,
) -> Result<(), StoreError> {
    // Items of canceled jobs end instead of being claimed, so one look may
    // not fill the claim. Every look leaves fewer ready items.
    while claimed.items.len() < max {
        let ready = ready_items(step, lane, sort, max - claimed.items.len())?;
        if ready.is_empty() {
            break;
        }
        for item in ready {
            if item.canceled {
                end_canceled(step, item.item)?;
                continue;
            }
            lane.advance(step.db, item.finish)?;
            let content =
                if request.with_content { content_of(step, &item, claimed.room)? } else { None };
            claimed.room = claimed.room.saturating_sub(content.as_ref().map_or(0, Bytes::len));
            claimed.items.push(Claimed { content, ..take(step, item, sort, request)? });
        }
    }
    Ok(())
}

struct Ready {
    item: ItemRef,
    tenant: TenantId,
    source: ItemSource,
    finish: f64,
    attempts: u32,
    epoch: u64,
    queued: bool,
    canceled: bool,
    options: JobOptions,
    max_attempts: u32,
    created_at: Timestamp,
    trace: Option<TraceParent>,
    bytes: u64,
}

fn ready_items(
    step: &Step<'_>,
    lane: Lane,
    sort: Sort,
    limit: usize,
) -> Result<Vec<Ready>, StoreError> {
    let mut select = step.db.prepare_cached(READY_ITEMS)?;
    let rows = select.query_map(params![lane.id, sort.is_solo(), limit], |row| {
        Ok(Ready {
            item: ItemRef { job: row.get(0)?, index: row.get(1)? },
            source: row.get::<_, Json<_>>(2)?.0,
            finish: row.get(3)?,
            attempts: row.get(4)?,
            epoch: row.get(5)?,
            queued: row.get(6)?,
            canceled: row.get(7)?,
            options: row.get::<_, Json<_>>(8)?.0,
            max_attempts: row.get(9)?,
            created_at: row.get(10)?,
            trace: row.get(11)?,
            tenant: row.get(12)?,
            bytes: row.get(13)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// `CROSS JOIN` holds SQLite to this order: along the lane, then to the job.
pub(super) const READY_ITEMS: &str = "
    SELECT i.job, i.idx, i.source, i.finish, i.attempts, i.epoch,
           j.status = 'queued', j.cancel_requested, j.options, j.max_attempts, j.created_at,
           j.trace, j.tenant, i.bytes
    FROM items i INDEXED BY items_ready CROSS JOIN jobs j ON j.id = i.job
    WHERE i.state = 'ready' AND i.lane = ?1 AND i.solo = ?2
    ORDER BY i.finish, i.job, i.idx LIMIT ?3";

/// The bytes of an upload, if they are here and no more than there is room for.
fn content_of(step: &Step<'_>, ready: &Ready, room: usize) -> Result<Option<Bytes>, StoreError> {
    match ready.source {
        ItemSource::Upload if ready.bytes <= room as u64 => uploads::get(step.db, ready.item),
        ItemSource::Upload | ItemSource::Url(_) => Ok(None),
    }
}

fn take(
    step: &mut Step<'_>,
    ready: Ready,
    sort: Sort,
    request: &ClaimRequest,
) -> Result<Claimed, StoreError> {
    let item = ready.item;
    let token = LeaseToken(format!("{}-{:016x}", ready.epoch + 1, rand::random::<u64>()));
    step.db
        .prepare_cached(
            "UPDATE items SET state = 'running', attempts = attempts + 1, epoch = epoch + 1,
                    token = ?3, worker = ?4, lease_boot = ?5, lease_until = ?6
             WHERE job = ?1 AND idx = ?2",
        )?
        .execute(params![
            item.job,
            item.index,
            token,
            request.worker,
            step.now.boot,
            step.now.lease_until(request.lease.min(LONGEST_LEASE)),
        ])?;
    if ready.queued {
        let started = step
            .db
            .prepare_cached(
                "UPDATE jobs SET status = 'processing', started_at = ?2, version = version + 1
                 WHERE id = ?1 AND status = 'queued'",
            )?
            .execute(params![item.job, step.now.wall])?;
        if started > 0 {
            step.changes.job(item.job);
        }
    }
    Ok(Claimed {
        lease: Lease { item, token },
        tenant: ready.tenant,
        source: ready.source,
        content: None,
        options: ready.options,
        attempt: ready.attempts + 1,
        max_attempts: ready.max_attempts,
        solo: sort.is_solo(),
        created_at: ready.created_at,
        trace: ready.trace,
    })
}
