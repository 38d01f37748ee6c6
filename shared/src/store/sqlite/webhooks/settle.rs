//! What became of an attempt, and deliveries that go back: untried, or to be
//! tried once more.

use rusqlite::{OptionalExtension, params};

use super::endpoints;
use super::giving_up::Unwanted;
use super::lane::Lane;
use crate::domain::{
    DeliveryAttempt, DeliveryId, DeliveryLease, DeliveryStatus, DisabledBecause, TenantId,
    Timestamp,
};
use crate::store::sqlite::step::Step;
use crate::store::sqlite::values::{Json, json};
use crate::store::{ATTEMPTS_KEPT, Settled, StoreError, Verdict};

/// Writes an attempt down. Said again, it says the same and changes nothing.
pub(super) fn settle(
    step: &mut Step<'_>,
    lease: &DeliveryLease,
    attempt: DeliveryAttempt,
    verdict: Verdict,
) -> Result<Settled, StoreError> {
    let Some(row) = find(step, &lease.id)? else { return Ok(Settled::Fenced) };
    if row.settled.as_ref() == Some(&lease.token) {
        return Ok(Settled::Stored);
    }
    let (Some(lane), Some(true)) = (row.lane, row.token.map(|held| held == lease.token)) else {
        return Ok(Settled::Fenced);
    };
    let (mut lane, now) = (Lane::find(step.db, lane)?, step.now.wall);
    let there = match verdict {
        Verdict::Retry(_) => is_there(step, &lane)?,
        Verdict::Delivered | Verdict::GivenUp | Verdict::EndpointGone => true,
    };
    let mut attempts = kept_attempts(row.attempts, attempt);
    let next = match verdict {
        Verdict::Delivered => Next::Ended(DeliveryStatus::Delivered),
        Verdict::Retry(after) if there => Next::Due(now.plus(after)),
        Verdict::Retry(_) => {
            let error = Some(Unwanted::Removed.as_str().to_owned());
            let note = DeliveryAttempt { at: now, took_ms: 0, status: None, error };
            attempts = kept_attempts(attempts, note);
            Next::Ended(DeliveryStatus::Failed)
        }
        Verdict::GivenUp | Verdict::EndpointGone => Next::Ended(DeliveryStatus::Failed),
    };
    write(step, lease, &next, &json(&attempts)?)?;
    draw_conclusions(step, &mut lane, verdict)?;
    lane.save(step.db)?;
    lane.refresh(step.db, step.now.wall)?;
    Ok(Settled::Stored)
}

/// What an attempt's outcome means for the lane and its endpoint.
fn draw_conclusions(step: &Step<'_>, lane: &mut Lane, verdict: Verdict) -> Result<(), StoreError> {
    let now = step.now.wall;
    let disable = |lane: &Lane, because| {
        if lane.is_of_callbacks() {
            return Ok(());
        }
        endpoints::disable(step.db, &lane.tenant, &lane.endpoint, because, now)
    };
    match verdict {
        Verdict::Delivered => lane.clear(),
        // An answer, and a final one: the receiver does not fail.
        Verdict::EndpointGone => disable(lane, DisabledBecause::Gone)?,
        Verdict::Retry(_) | Verdict::GivenUp => {
            lane.count_failure(now);
            if lane.has_failed_for_good(now) {
                disable(lane, DisabledBecause::Failing)?;
            }
        }
    }
    Ok(())
}

/// A log with one more entry, without its oldest if there are too many.
pub(super) fn kept_attempts(
    mut attempts: Vec<DeliveryAttempt>,
    last: DeliveryAttempt,
) -> Vec<DeliveryAttempt> {
    attempts.push(last);
    attempts.drain(..attempts.len().saturating_sub(ATTEMPTS_KEPT));
    attempts
}

/// What settling asks of a delivery's row.
struct Row {
    lane: Option<i64>,
    token: Option<String>,
    settled: Option<String>,
    attempts: Vec<DeliveryAttempt>,
}

fn find(step: &Step<'_>, id: &DeliveryId) -> Result<Option<Row>, StoreError> {
    let mut select = step.db.prepare_cached(
        "SELECT lane, token, settled, attempts FROM deliveries WHERE job = ?1 AND endpoint = ?2",
    )?;
    let row = select.query_row(params![id.job, id.endpoint], |row| {
        Ok(Row {
            lane: row.get(0)?,
            token: row.get(1)?,
            settled: row.get(2)?,
            attempts: row.get::<_, Json<_>>(3)?.0,
        })
    });
    Ok(row.optional()?)
}

fn is_there(step: &Step<'_>, lane: &Lane) -> Result<bool, StoreError> {
    let mut select = step
        .db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM endpoints WHERE tenant = ?1 AND id = ?2)")?;
    Ok(select.query_row(params![lane.tenant, lane.endpoint], |row| row.get(0))?)
}

/// What follows an attempt.
enum Next {
    Due(Timestamp),
    Ended(DeliveryStatus),
}

fn write(
    step: &Step<'_>,
    lease: &DeliveryLease,
    next: &Next,
    attempts: &str,
) -> Result<(), StoreError> {
    let DeliveryLease { id, token } = lease;
    match next {
        Next::Due(due) => step
            .db
            .prepare_cached(
                "UPDATE deliveries SET attempts = ?3, settled = ?4, token = NULL,
                        due = ?5, ready_at = ?5
                 WHERE job = ?1 AND endpoint = ?2",
            )?
            .execute(params![id.job, id.endpoint, attempts, token, due])?,
        Next::Ended(status) => step
            .db
            .prepare_cached(
                "UPDATE deliveries SET attempts = ?3, settled = ?4, token = NULL, status = ?5,
                        ended_at = ?6, due = NULL, lane = NULL, ready_at = NULL
                 WHERE job = ?1 AND endpoint = ?2",
            )?
            .execute(params![
                id.job,
                id.endpoint,
                attempts,
                token,
                status.as_str(),
                step.now.wall
            ])?,
    };
    Ok(())
}

/// Gives deliveries back as they were before they were claimed.
pub(super) fn release(step: &mut Step<'_>, held: &[DeliveryLease]) -> Result<(), StoreError> {
    for DeliveryLease { id, token } in held {
        let mut update = step.db.prepare_cached(
            "UPDATE deliveries SET token = NULL, ready_at = due,
                    attempt = attempt - 1, attempted = attempted - 1
             WHERE job = ?1 AND endpoint = ?2 AND token = ?3 RETURNING lane",
        )?;
        let lane = update.query_row(params![id.job, id.endpoint, token], |row| row.get(0));
        if let Some(lane) = lane.optional()? {
            Lane::find(step.db, lane)?.refresh(step.db, step.now.wall)?;
            step.changes.delivery();
        }
    }
    Ok(())
}

/// Makes a delivery due now, unless a sender holds it.
pub(super) fn replay(
    step: &mut Step<'_>,
    tenant: &TenantId,
    id: &DeliveryId,
) -> Result<(), StoreError> {
    let now = step.now.wall;
    let mut select = step.db.prepare_cached(
        "SELECT origin, token IS NOT NULL AND ready_at > ?4 FROM deliveries
         WHERE job = ?1 AND endpoint = ?2 AND tenant = ?3",
    )?;
    let found = select.query_row(params![id.job, id.endpoint, tenant, now], |row| {
        Ok((row.get::<_, String>(0)?, row.get(1)?))
    });
    let (origin, held) = found.optional()?.ok_or(StoreError::NotFound)?;
    if held {
        return Ok(());
    }
    let lane = Lane::of(step.db, tenant, &id.endpoint, &origin)?;
    step.db
        .prepare_cached(
            "UPDATE deliveries SET status = 'pending', attempt = 0, due = ?3, ended_at = NULL,
                    lane = ?4, ready_at = ?3, token = NULL
             WHERE job = ?1 AND endpoint = ?2",
        )?
        .execute(params![id.job, id.endpoint, now, lane.id])?;
    lane.refresh(step.db, step.now.wall)?;
    step.changes.delivery();
    Ok(())
}
