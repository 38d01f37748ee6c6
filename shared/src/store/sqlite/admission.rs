//! Whether a job is taken in: the caller's key, the switches, the caps, the
//! disk. All of it inside the step that writes the job.

use rusqlite::{Connection, OptionalExtension, params};

use super::disk::Disk;
use super::step::Step;
use crate::domain::{Idempotency, JobId, TenantId, Timestamp};
use crate::store::drain::{Drain, SLOT_MS, SLOTS};
use crate::store::{Cap, Enqueued, StoreError, StoreLimits, Switch, Switches};

/// What a job adds to the store.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    /// Its items.
    pub(super) items: u64,
    /// The bytes of its uploads, as far as they are known.
    pub(super) bytes: u64,
}

/// What holds for every job that comes in.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) limits: StoreLimits,
    pub(super) disk: Disk,
}

impl Gate {
    /// Refuses a load that there is no place for.
    pub(super) fn check(
        &self,
        db: &Connection,
        now: Timestamp,
        tenant: &TenantId,
        load: Load,
    ) -> Result<(), StoreError> {
        if switches(db)?.intake_closed {
            return Err(StoreError::Closed);
        }
        let StoreLimits { items, tenant_items, upload_bytes } = self.limits;
        for (cap, live, more, limit) in [
            (Cap::TenantItems, live_of(db, tenant)?, load.items, tenant_items),
            (Cap::Items, live_of_all(db)?, load.items, items),
            (Cap::UploadBytes, waiting_bytes(db)?, load.bytes, upload_bytes),
        ] {
            let wanted = live.saturating_add(more);
            if wanted > limit {
                // Bytes leave with their items: by how many, nobody counts.
                let over = match cap {
                    Cap::Items | Cap::TenantItems => wanted - limit,
                    Cap::UploadBytes => 1,
                };
                let retry_after = drain(db, now)?.time_for(over);
                return Err(StoreError::Full { cap, live, limit, retry_after });
            }
        }
        self.disk.check()
    }
}

/// What a caller's key stands for already, if anything.
pub(super) fn repeated(
    step: &Step<'_>,
    job: JobId,
    tenant: &TenantId,
    idempotency: &Idempotency,
) -> Result<Option<Enqueued>, StoreError> {
    let mut select = step.db.prepare_cached(
        "SELECT i.job, i.fingerprint, coalesce(j.status = 'open', 0)
         FROM idempotency i LEFT JOIN jobs j ON j.id = i.job
         WHERE i.tenant = ?1 AND i.key = ?2 AND i.expires_at > ?3",
    )?;
    let known = select
        .query_row(params![tenant, idempotency.key, step.now.wall], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((first, fingerprint, open)): Option<(JobId, String, bool)> = known else {
        return Ok(None);
    };
    if first == job {
        return Ok(None);
    }
    if fingerprint != idempotency.fingerprint {
        return Err(StoreError::KeyReused);
    }
    if open { Err(StoreError::KeyInProgress) } else { Ok(Some(Enqueued::Repeated(first))) }
}

/// Remembers what a caller's key stands for.
pub(super) fn remember(
    step: &Step<'_>,
    job: JobId,
    tenant: &TenantId,
    idempotency: &Idempotency,
) -> Result<(), StoreError> {
    let Idempotency { key, fingerprint, keep } = idempotency;
    step.db
        .prepare_cached(
            "INSERT OR REPLACE INTO idempotency (tenant, key, fingerprint, job, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![tenant, key, fingerprint, job, step.now.wall.plus(*keep)])?;
    Ok(())
}

/// Notes that live items have left.
pub(super) fn note_drained(step: &Step<'_>, items: u64) -> Result<(), StoreError> {
    step.db
        .prepare_cached(
            "INSERT INTO drained (slot, items) VALUES (?1, ?2)
             ON CONFLICT (slot) DO UPDATE SET items = items + ?2",
        )?
        .execute(params![step.now.wall.0 / SLOT_MS, items])?;
    Ok(())
}

/// How the switches stand.
pub(super) fn switches(db: &Connection) -> Result<Switches, StoreError> {
    let mut select = db.prepare_cached("SELECT 1 FROM switches WHERE name = ?1")?;
    Ok(Switches {
        intake_closed: select.exists([Switch::IntakeClosed.as_str()])?,
        paused: select.exists([Switch::Paused.as_str()])?,
    })
}

fn drain(db: &Connection, now: Timestamp) -> Result<Drain, StoreError> {
    let mut select = db.prepare_cached("SELECT slot, items FROM drained WHERE slot > ?1")?;
    let oldest = (now.0 / SLOT_MS).saturating_sub(SLOTS);
    let slots = select.query_map([oldest], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Drain::of(slots.collect::<rusqlite::Result<Vec<_>>>()?, now.0))
}

fn live_of(db: &Connection, tenant: &TenantId) -> Result<u64, StoreError> {
    let mut select = db.prepare_cached("SELECT live FROM loads WHERE tenant = ?1")?;
    Ok(select.query_row([tenant], |row| row.get(0)).optional()?.unwrap_or(0))
}

fn live_of_all(db: &Connection) -> Result<u64, StoreError> {
    let mut select = db.prepare_cached("SELECT coalesce(sum(live), 0) FROM lanes")?;
    Ok(select.query_row([], |row| row.get(0))?)
}

fn waiting_bytes(db: &Connection) -> Result<u64, StoreError> {
    let mut select = db.prepare_cached("SELECT bytes FROM waiting_bytes")?;
    Ok(select.query_row([], |row| row.get(0))?)
}
