//! Leases that nobody keeps any longer are taken back: they ran out, their
//! worker is known to be dead, or they were counted in another boot.
//!
//! A crash is counted against the item, for it may be what killed the worker;
//! a reboot is not.

use rusqlite::params;

use super::ending::{end_canceled, end_dead};
use super::lane::model_of;
use super::step::Step;
use crate::domain::{ErrorCode, ItemError, ItemRef, WorkerId};
use crate::store::{MAX_CRASHES, MAX_SOLO_CRASHES, Reaped, StoreError};

/// Takes up to `limit` leases back, those of the dead first.
pub(super) fn reap(
    step: &mut Step<'_>,
    dead: &[WorkerId],
    limit: usize,
) -> Result<Reaped, StoreError> {
    let mut reaped = Reaped::default();
    for worker in dead {
        step.db.prepare_cached("DELETE FROM workers WHERE id = ?1")?.execute([worker])?;
        let left = limit.saturating_sub(count(&reaped));
        let held = rows(step, HELD_BY, params![worker, step.now.boot, left])?;
        take_back(step, held, &mut reaped)?;
    }
    let left = limit.saturating_sub(count(&reaped));
    let over = rows(step, RUN_OUT, params![step.now.boot, step.now.since_boot_ms, left])?;
    take_back(step, over, &mut reaped)?;
    Ok(reaped)
}

/// How many leases were taken back.
pub(super) fn count(reaped: &Reaped) -> usize {
    reaped.requeued.len() + reaped.dead.len() + reaped.canceled.len()
}

const HELD_BY: &str = "
    SELECT i.job, i.idx, i.lane, i.crashes, i.solo_crashes, i.solo, j.cancel_requested,
           i.lease_boot <> ?2
    FROM items i INDEXED BY items_running CROSS JOIN jobs j ON j.id = i.job
    WHERE i.state = 'running' AND i.worker = ?1 LIMIT ?3";

/// Walks the whole index, which holds what is in flight and nothing else.
pub(super) const RUN_OUT: &str = "
    SELECT i.job, i.idx, i.lane, i.crashes, i.solo_crashes, i.solo, j.cancel_requested,
           i.lease_boot <> ?1
    FROM items i INDEXED BY items_running CROSS JOIN jobs j ON j.id = i.job
    WHERE i.state = 'running' AND (i.lease_boot <> ?1 OR i.lease_until <= ?2) LIMIT ?3";

struct Abandoned {
    item: ItemRef,
    lane: i64,
    crashes: u32,
    solo_crashes: u32,
    solo: bool,
    canceled: bool,
    rebooted: bool,
}

/// What becomes of an abandoned item.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Its job was canceled.
    Cancel,
    /// It has taken too many workers down.
    GiveUp,
    /// It is ready again, with that many crashes to its name.
    Requeue { crashes: u32, solo_crashes: u32, solo: bool },
}

impl Abandoned {
    fn verdict(&self) -> Verdict {
        if self.canceled {
            return Verdict::Cancel;
        }
        let Self { crashes, solo_crashes, solo, .. } = *self;
        if self.rebooted {
            return Verdict::Requeue { crashes, solo_crashes, solo };
        }
        let crashes = crashes + 1;
        let solo_crashes = solo_crashes + u32::from(solo);
        if solo_crashes >= MAX_SOLO_CRASHES || crashes >= MAX_CRASHES {
            Verdict::GiveUp
        } else {
            Verdict::Requeue { crashes, solo_crashes, solo: true }
        }
    }
}

fn rows(
    step: &Step<'_>,
    sql: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<Abandoned>, StoreError> {
    let mut select = step.db.prepare_cached(sql)?;
    let rows = select.query_map(params, |row| {
        Ok(Abandoned {
            item: ItemRef { job: row.get(0)?, index: row.get(1)? },
            lane: row.get(2)?,
            crashes: row.get(3)?,
            solo_crashes: row.get(4)?,
            solo: row.get(5)?,
            canceled: row.get(6)?,
            rebooted: row.get(7)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn take_back(
    step: &mut Step<'_>,
    abandoned: Vec<Abandoned>,
    reaped: &mut Reaped,
) -> Result<(), StoreError> {
    for held in abandoned {
        match held.verdict() {
            Verdict::Cancel => {
                end_canceled(step, held.item)?;
                reaped.canceled.push(held.item);
            }
            Verdict::GiveUp => {
                let error = ItemError::new(
                    ErrorCode::WorkerLost,
                    "the workers that tried this image died or stopped answering",
                );
                end_dead(step, held.item, &error)?;
                reaped.dead.push(held.item);
            }
            Verdict::Requeue { crashes, solo_crashes, solo } => {
                step.db
                    .prepare_cached(
                        "UPDATE items SET state = 'ready', crashes = ?3, solo_crashes = ?4,
                                solo = ?5, token = NULL, worker = NULL, lease_boot = NULL,
                                lease_until = NULL,
                                finish = (SELECT virtual_time FROM lanes WHERE id = items.lane)
                         WHERE job = ?1 AND idx = ?2",
                    )?
                    .execute(params![
                        held.item.job,
                        held.item.index,
                        crashes,
                        solo_crashes,
                        solo
                    ])?;
                step.changes.work(model_of(step.db, held.lane)?);
                reaped.requeued.push(held.item);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::JobId;

    fn abandoned(crashes: u32, solo_crashes: u32, solo: bool) -> Abandoned {
        let item = ItemRef { job: JobId::generate(), index: 0 };
        let (canceled, rebooted) = (false, false);
        Abandoned { item, lane: 1, crashes, solo_crashes, solo, canceled, rebooted }
    }

    #[test]
    fn the_first_crash_sends_an_item_to_run_alone() {
        let expected = Verdict::Requeue { crashes: 1, solo_crashes: 0, solo: true };
        assert_eq!(abandoned(0, 0, false).verdict(), expected);
    }

    #[test]
    fn the_second_crash_alone_ends_an_item() {
        let expected = Verdict::Requeue { crashes: 2, solo_crashes: 1, solo: true };
        assert_eq!(abandoned(1, 0, true).verdict(), expected);
        assert_eq!(abandoned(2, 1, true).verdict(), Verdict::GiveUp);
    }

    #[test]
    fn ten_crashes_in_all_end_an_item() {
        assert_eq!(abandoned(9, 0, false).verdict(), Verdict::GiveUp);
    }

    #[test]
    fn a_reboot_changes_nothing_about_an_item() {
        let mut item = abandoned(2, 1, true);
        item.rebooted = true;
        let expected = Verdict::Requeue { crashes: 2, solo_crashes: 1, solo: true };
        assert_eq!(item.verdict(), expected);
    }

    #[test]
    fn an_abandoned_item_of_a_canceled_job_ends_canceled() {
        let mut item = abandoned(9, 1, true);
        item.canceled = true;
        assert_eq!(item.verdict(), Verdict::Cancel);
    }
}
