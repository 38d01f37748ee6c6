//! What operators and upkeep read: counters, dead letters, which jobs exist.

use rusqlite::{Connection, params};

use super::cache;
use super::values::Json;
use crate::domain::{ItemRef, JobId};
use crate::store::{DeadLetter, LaneStats, Stats, StoreError, WebhookStats};

/// What the store holds. Reads counters, never items, but for the oldest job
/// of each lane.
pub(super) fn stats(db: &Connection) -> Result<Stats, StoreError> {
    let mut stats = db.query_row(
        "SELECT coalesce(sum(delayed), 0), coalesce(sum(running), 0), coalesce(sum(live), 0),
                (SELECT count(*) FROM dead_letters),
                (SELECT deliveries FROM pending_deliveries),
                (SELECT min(next_at) FROM delivery_tenants) FROM lanes",
        [],
        |row| {
            Ok(Stats {
                lanes: Vec::new(),
                delayed: row.get(0)?,
                running: row.get(1)?,
                live: row.get(2)?,
                dead: row.get(3)?,
                webhooks: WebhookStats { pending: row.get(4)?, due: row.get(5)? },
                cached: 0,
            })
        },
    )?;
    let mut select = db.prepare_cached(LANES)?;
    let lanes = select.query_map([], |row| {
        Ok(LaneStats {
            model: row.get(0)?,
            priority: row.get(1)?,
            ready: row.get(2)?,
            oldest: row.get(3)?,
        })
    })?;
    stats.lanes = lanes.collect::<rusqlite::Result<_>>()?;
    stats.cached = cache::size(db)?;
    Ok(stats)
}

/// Jobs stand in the order of their creation; those in front without a ready
/// item are being worked on, and so are few.
pub(super) const LANES: &str = "
    SELECT l.model, l.band, l.ready,
           (SELECT j.created_at FROM jobs j INDEXED BY jobs_live
            WHERE j.lane = l.id AND j.status IN ('queued', 'processing')
              AND EXISTS (SELECT 1 FROM items i WHERE i.job = j.id AND i.state = 'ready')
            ORDER BY j.created_at LIMIT 1)
    FROM lanes l WHERE l.ready > 0 ORDER BY l.model, l.band";

/// The newest dead letters.
pub(super) fn dead_letters(db: &Connection, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT d.job, d.idx, j.tenant, d.error, d.at
         FROM dead_letters d INDEXED BY dead_letters_by_age CROSS JOIN jobs j ON j.id = d.job
         ORDER BY d.at DESC, d.job DESC, d.idx DESC LIMIT ?1",
    )?;
    let rows = select.query_map(params![limit], |row| {
        Ok(DeadLetter {
            item: ItemRef { job: row.get(0)?, index: row.get(1)? },
            tenant: row.get(2)?,
            error: row.get::<_, Json<_>>(3)?.0,
            at: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Which of these jobs exist, open ones included.
pub(super) fn existing(db: &Connection, ids: &[JobId]) -> Result<Vec<JobId>, StoreError> {
    let mut select = db.prepare_cached("SELECT 1 FROM jobs WHERE id = ?1")?;
    let mut found = Vec::new();
    for id in ids {
        if select.exists([id])? {
            found.push(*id);
        }
    }
    Ok(found)
}
