//! What the holder of a lease may do with its item: keep it, end it, try it
//! again later, give it back. Each asks for the token first, so a worker that
//! lost its lease changes nothing.

use rusqlite::{OptionalExtension, params};

use super::ending::{Ending, end_canceled, end_dead, end_item};
use super::lane::model_of;
use super::step::Step;
use crate::domain::{ItemError, ItemRef, Timestamp};
use crate::store::{Extended, Lease, Recorded, Retried, StoreError};

use std::time::Duration;

/// What a lease is worth.
enum Holding {
    /// It holds.
    Held(Held),
    /// The item has ended.
    Gone,
    /// The item is not this lease's.
    Fenced,
}

struct Held {
    lane: i64,
    attempts: u32,
    max_attempts: u32,
    canceled: bool,
}

fn holding(step: &Step<'_>, lease: &Lease) -> Result<Holding, StoreError> {
    let mut select = step.db.prepare_cached(
        "SELECT i.state = 'running' AND i.token IS ?3, i.lane, i.attempts, j.max_attempts,
                j.cancel_requested
         FROM items i CROSS JOIN jobs j ON j.id = i.job WHERE i.job = ?1 AND i.idx = ?2",
    )?;
    let ItemRef { job, index } = lease.item;
    let row = select.query_row(params![job, index, lease.token], |row| {
        let held = Held {
            lane: row.get(1)?,
            attempts: row.get(2)?,
            max_attempts: row.get(3)?,
            canceled: row.get(4)?,
        };
        Ok(if row.get(0)? { Holding::Held(held) } else { Holding::Fenced })
    });
    Ok(row.optional()?.unwrap_or(Holding::Gone))
}

/// Renews leases.
pub(super) fn extend(
    step: &mut Step<'_>,
    held: &[Lease],
    by: Duration,
) -> Result<Extended, StoreError> {
    let mut extended = Extended::default();
    let until = step.now.lease_until(by);
    for lease in held {
        match holding(step, lease)? {
            Holding::Held(item) => {
                step.db
                    .prepare_cached(
                        "UPDATE items SET lease_boot = ?3, lease_until = ?4
                         WHERE job = ?1 AND idx = ?2",
                    )?
                    .execute(params![lease.item.job, lease.item.index, step.now.boot, until])?;
                if item.canceled {
                    extended.canceled.push(lease.item);
                }
            }
            Holding::Gone | Holding::Fenced => extended.lost.push(lease.item),
        }
    }
    Ok(extended)
}

/// Records outcomes.
pub(super) fn complete(
    step: &mut Step<'_>,
    endings: &[(Lease, Ending)],
) -> Result<Vec<Recorded>, StoreError> {
    let record = |(lease, ending): &(Lease, Ending)| {
        Ok(match holding(step, lease)? {
            Holding::Held(_) => Recorded::Stored { job_ended: end_item(step, lease.item, ending)? },
            Holding::Gone => Recorded::Gone,
            Holding::Fenced => Recorded::Fenced,
        })
    };
    endings.iter().map(record).collect()
}

/// Gives an item up for now, or for good when its attempts are spent.
pub(super) fn retry(
    step: &mut Step<'_>,
    lease: &Lease,
    after: Duration,
    error: &ItemError,
) -> Result<Retried, StoreError> {
    let item = lease.item;
    Ok(match holding(step, lease)? {
        Holding::Gone => Retried::Gone,
        Holding::Fenced => Retried::Fenced,
        Holding::Held(held) if held.canceled => {
            Retried::Canceled { job_ended: end_canceled(step, item)? }
        }
        Holding::Held(held) if held.attempts >= held.max_attempts => {
            Retried::Dead { job_ended: end_dead(step, item, error)? }
        }
        Holding::Held(_) => {
            delay(step, item, step.now.wall.plus(after))?;
            Retried::Delayed
        }
    })
}

/// Gives items back as if they had not been claimed.
pub(super) fn release(step: &mut Step<'_>, held: &[Lease]) -> Result<(), StoreError> {
    for lease in held {
        match holding(step, lease)? {
            Holding::Held(item) if item.canceled => {
                end_canceled(step, lease.item)?;
            }
            Holding::Held(item) => {
                give_back(step, lease.item)?;
                step.changes.work(model_of(step.db, item.lane)?);
            }
            Holding::Gone | Holding::Fenced => {}
        }
    }
    Ok(())
}

/// A worker that could say so itself was not taken down by the item, so the
/// item need not run alone any longer.
fn delay(step: &Step<'_>, item: ItemRef, due: Timestamp) -> Result<(), StoreError> {
    step.db
        .prepare_cached(
            "UPDATE items SET state = 'delayed', due = ?3, solo = 0, token = NULL,
                    worker = NULL, lease_boot = NULL, lease_until = NULL
             WHERE job = ?1 AND idx = ?2",
        )?
        .execute(params![item.job, item.index, due])?;
    Ok(())
}

fn give_back(step: &Step<'_>, item: ItemRef) -> Result<(), StoreError> {
    step.db
        .prepare_cached(
            "UPDATE items SET state = 'ready', attempts = attempts - 1, solo = 0,
                    finish = (SELECT virtual_time FROM lanes WHERE id = items.lane),
                    token = NULL, worker = NULL, lease_boot = NULL, lease_until = NULL
             WHERE job = ?1 AND idx = ?2",
        )?
        .execute(params![item.job, item.index])?;
    Ok(())
}
