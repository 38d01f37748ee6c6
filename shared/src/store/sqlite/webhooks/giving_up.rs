//! Deliveries that nobody wants any more. They end with a note in their log
//! that says why, some at a time.

use rusqlite::{Connection, params};

use super::lane::Lane;
use super::settle::kept_attempts;
use crate::domain::{DeliveryAttempt, DeliveryId, Timestamp};
use crate::store::StoreError;
use crate::store::sqlite::step::Step;
use crate::store::sqlite::values::{Json, json};

/// Deliveries that one step gives up at most.
pub(super) const GIVEN_UP_PER_STEP: usize = 200;

/// The end of time, as columns have it.
const EVER: Timestamp = Timestamp(i64::MAX.unsigned_abs());

/// Why nobody wants them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unwanted {
    /// The endpoint gets nothing for now: what comes due meanwhile is lost.
    Disabled,
    /// The endpoint is gone: so is all that is pending for it.
    Removed,
}

impl Unwanted {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "endpoint_disabled",
            Self::Removed => "endpoint_removed",
        }
    }
}

/// Gives up what a lane has, but for what senders hold, at most `budget`, of
/// which what is left is answered.
pub(super) fn give_up_lane(
    step: &Step<'_>,
    lane: &Lane,
    unwanted: Unwanted,
    budget: usize,
) -> Result<usize, StoreError> {
    let given_up = match unwanted {
        Unwanted::Disabled => lane.ready(step.db, step.now.wall, budget)?,
        Unwanted::Removed => not_held(step.db, lane, step.now.wall, budget)?,
    };
    for id in &given_up {
        give_up(step.db, id, unwanted, step.now.wall)?;
    }
    lane.refresh(step.db, step.now.wall)?;
    if given_up.len() == budget && unwanted == Unwanted::Removed {
        lane.look_at(step.db, step.now.wall)?;
    }
    Ok(budget - given_up.len())
}

/// Gives up some of what is pending in the lanes of an endpoint that is gone,
/// and has the next claims look at the rest.
pub(super) fn give_up_removed(step: &Step<'_>, lanes: &[Lane]) -> Result<(), StoreError> {
    let mut budget = GIVEN_UP_PER_STEP;
    for lane in lanes {
        if budget > 0 {
            budget = give_up_lane(step, lane, Unwanted::Removed, budget)?;
        } else {
            lane.look_at(step.db, step.now.wall)?;
        }
    }
    Ok(())
}

fn not_held(
    db: &Connection,
    lane: &Lane,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<DeliveryId>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT job, endpoint FROM deliveries INDEXED BY deliveries_ready
         WHERE lane = ?1 AND ready_at <= ?2 AND (token IS NULL OR ready_at <= ?3)
         ORDER BY ready_at LIMIT ?4",
    )?;
    let rows = select.query_map(params![lane.id, EVER, now, limit], |row| {
        Ok(DeliveryId { job: row.get(0)?, endpoint: row.get(1)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn give_up(
    db: &Connection,
    id: &DeliveryId,
    unwanted: Unwanted,
    now: Timestamp,
) -> Result<(), StoreError> {
    let attempts = db
        .prepare_cached("SELECT attempts FROM deliveries WHERE job = ?1 AND endpoint = ?2")?
        .query_row(params![id.job, id.endpoint], |row| row.get::<_, Json<_>>(0))?;
    let error = Some(unwanted.as_str().to_owned());
    let note = DeliveryAttempt { at: now, took_ms: 0, status: None, error };
    let attempts = json(&kept_attempts(attempts.0, note))?;
    db.prepare_cached(
        "UPDATE deliveries SET status = 'failed', attempts = ?3, ended_at = ?4,
                due = NULL, lane = NULL, ready_at = NULL, token = NULL
         WHERE job = ?1 AND endpoint = ?2",
    )?
    .execute(params![id.job, id.endpoint, attempts, now])?;
    Ok(())
}
