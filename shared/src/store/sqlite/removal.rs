//! Jobs leave: deleted, past their retention, or opened and never sealed.
//! What a caller knew of is remembered for a week by its tombstone.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::admission::note_drained;
use super::models::MODEL_MEMORY;
use super::step::Step;
use crate::domain::{JobId, TenantId, Timestamp};
use crate::store::drain::{SLOT_MS, SLOTS};
use crate::store::{Deleted, StoreError, Swept};

const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long an open job may be filled.
const SEAL_WITHIN: Duration = Duration::from_secs(10 * 60);

/// Items that one step removes before it lets others have the writer.
const ITEMS_PER_STEP: u64 = 2_000;

/// Small rows of one kind that one step forgets at most.
const FORGOTTEN_PER_STEP: i64 = 1_000;

/// Removes a job on request.
pub(super) fn delete(
    step: &mut Step<'_>,
    tenant: &TenantId,
    id: &JobId,
) -> Result<Deleted, StoreError> {
    let mut select = step.db.prepare_cached(
        "SELECT total FROM jobs WHERE id = ?1 AND tenant = ?2 AND status <> 'open'",
    )?;
    let items = select.query_row(params![id, tenant], |row| row.get(0)).optional()?;
    let items = items.ok_or(StoreError::NotFound)?;
    bury(step, *id)?;
    Ok(Deleted { items })
}

/// Removes jobs whose time is over, at most `limit` and not too much at once.
pub(super) fn sweep(step: &mut Step<'_>, limit: usize) -> Result<Swept, StoreError> {
    let mut swept = Swept::default();
    let mut budget = ITEMS_PER_STEP;
    let expired = jobs_until(step, EXPIRED, step.now.wall.0, limit)?;
    for (id, items) in within(&mut budget, expired) {
        bury(step, id)?;
        swept.expired.push((id, items));
    }
    let sealed_by = step.now.ago(SEAL_WITHIN).0;
    let unsealed = jobs_until(step, UNSEALED, sealed_by, limit - swept.expired.len())?;
    for (id, items) in within(&mut budget, unsealed) {
        // Nobody was told of it, so its caller may begin anew.
        step.db.prepare_cached("DELETE FROM idempotency WHERE job = ?1")?.execute([id])?;
        remove(step, id)?;
        swept.aborted.push((id, items));
    }
    Ok(swept)
}

const EXPIRED: &str = "
    SELECT id, total FROM jobs WHERE expires_at IS NOT NULL AND expires_at <= ?1
    ORDER BY expires_at LIMIT ?2";

const UNSEALED: &str = "
    SELECT id, total FROM jobs WHERE status = 'open' AND created_at <= ?1
    ORDER BY created_at LIMIT ?2";

fn jobs_until(
    step: &Step<'_>,
    sql: &str,
    until: u64,
    limit: usize,
) -> Result<Vec<(JobId, u32)>, StoreError> {
    let mut select = step.db.prepare_cached(sql)?;
    let rows = select.query_map(params![until, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The jobs at the front that the budget pays for. The last may overdraw it,
/// so that a job of any size goes.
fn within(
    budget: &mut u64,
    jobs: Vec<(JobId, u32)>,
) -> impl Iterator<Item = (JobId, u32)> + use<'_> {
    jobs.into_iter().take_while(move |(_, items)| {
        let open = *budget > 0;
        *budget = budget.saturating_sub(u64::from(*items));
        open
    })
}

/// Forgets what only had to be remembered for a while.
pub(super) fn forget(step: &Step<'_>) -> Result<(), StoreError> {
    let now = step.now.wall;
    let forget = |sql, until| -> Result<(), StoreError> {
        step.db.prepare_cached(sql)?.execute(params![until, FORGOTTEN_PER_STEP])?;
        Ok(())
    };
    forget(
        "DELETE FROM tombstones WHERE job IN
             (SELECT job FROM tombstones WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
        now,
    )?;
    forget(
        "DELETE FROM dead_letters WHERE (job, idx) IN
             (SELECT job, idx FROM dead_letters WHERE at <= ?1 ORDER BY at LIMIT ?2)",
        step.now.ago(WEEK),
    )?;
    forget(
        "DELETE FROM models WHERE name IN
             (SELECT name FROM models WHERE announced_at <= ?1 LIMIT ?2)",
        step.now.ago(MODEL_MEMORY),
    )?;
    forget(
        "DELETE FROM workers WHERE id IN
             (SELECT id FROM workers WHERE expires_at <= ?1 LIMIT ?2)",
        now,
    )?;
    forget(
        "DELETE FROM idempotency WHERE (tenant, key) IN
             (SELECT tenant, key FROM idempotency WHERE expires_at <= ?1
              ORDER BY expires_at LIMIT ?2)",
        now,
    )?;
    forget(
        "DELETE FROM rates WHERE bucket IN (SELECT bucket FROM rates WHERE tat <= ?1 LIMIT ?2)",
        now,
    )?;
    let oldest = (now.0 / SLOT_MS).saturating_sub(SLOTS);
    forget(
        "DELETE FROM drained WHERE slot IN
             (SELECT slot FROM drained WHERE slot <= ?1 ORDER BY slot LIMIT ?2)",
        Timestamp(oldest),
    )?;
    step.db
        .prepare_cached(
            "DELETE FROM loads WHERE tenant IN (SELECT tenant FROM loads WHERE live = 0 LIMIT ?1)",
        )?
        .execute([FORGOTTEN_PER_STEP])?;
    // A tenant whose last item was claimed long ago starts like a new one.
    step.db
        .prepare_cached(
            "DELETE FROM shares WHERE (lane, tenant) IN
                 (SELECT s.lane, s.tenant FROM shares s JOIN lanes l ON l.id = s.lane
                  WHERE s.finish <= l.virtual_time LIMIT ?1)",
        )?
        .execute([FORGOTTEN_PER_STEP])?;
    Ok(())
}

fn bury(step: &mut Step<'_>, id: JobId) -> Result<(), StoreError> {
    step.db
        .prepare_cached(
            "INSERT OR REPLACE INTO tombstones (job, tenant, expires_at)
             SELECT id, tenant, ?2 FROM jobs WHERE id = ?1",
        )?
        .execute(params![id, step.now.wall.plus(WEEK)])?;
    remove(step, id)
}

/// Items, results and dead letters go with their job.
fn remove(step: &mut Step<'_>, id: JobId) -> Result<(), StoreError> {
    let mut delete = step.db.prepare_cached(
        "DELETE FROM jobs WHERE id = ?1 RETURNING total - succeeded - failed - canceled",
    )?;
    let live = delete.query_row([id], |row| row.get(0)).optional()?.unwrap_or(0);
    drop(delete);
    if live > 0 {
        note_drained(step, live)?;
    }
    step.changes.removed(id);
    Ok(())
}
