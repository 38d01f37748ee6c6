//! Rates, caps and switches.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, params};

use super::admission::{self, Load};
use super::lane::model_of;
use super::step::Step;
use super::store::SqliteStore;
use crate::domain::TenantId;
use crate::store::limits::take;
use crate::store::{Limits, Rate, StoreError, Switch, Switches, Taken};

/// The smallest job.
const ONE: Load = Load { items: 1, bytes: 1 };

#[async_trait]
impl Limits for SqliteStore {
    async fn take(&self, bucket: &str, cost: u32, rate: Rate) -> Result<Taken, StoreError> {
        let bucket = bucket.to_owned();
        self.writer.write(move |step| take_from(step, &bucket, cost, rate)).await
    }

    async fn admits(&self, tenant: &TenantId) -> Result<(), StoreError> {
        let (gate, tenant) = (self.gate.clone(), tenant.clone());
        let clock = self.clock.clone();
        let read = move |db: &_| gate.check(db, clock.moment().wall, &tenant, ONE);
        self.readers.read(read).await
    }

    async fn switches(&self) -> Result<Switches, StoreError> {
        self.readers.read(admission::switches).await
    }

    async fn set_switch(&self, switch: Switch, on: bool) -> Result<(), StoreError> {
        self.writer.write(move |step| set(step, switch, on)).await
    }
}

fn take_from(
    step: &mut Step<'_>,
    bucket: &str,
    cost: u32,
    rate: Rate,
) -> Result<Taken, StoreError> {
    let mut select = step.db.prepare_cached("SELECT tat FROM rates WHERE bucket = ?1")?;
    let tat = select.query_row([bucket], |row| row.get(0)).optional()?;
    // Exact: a time in milliseconds has far fewer than 53 bits.
    let (taken, tat) = take(tat, step.now.wall.0 as f64, cost, rate);
    if taken.allowed {
        step.db
            .prepare_cached("INSERT OR REPLACE INTO rates (bucket, tat) VALUES (?1, ?2)")?
            .execute(params![bucket, tat])?;
    }
    Ok(taken)
}

fn set(step: &mut Step<'_>, switch: Switch, on: bool) -> Result<(), StoreError> {
    let sql = if on {
        "INSERT OR IGNORE INTO switches (name) VALUES (?1)"
    } else {
        "DELETE FROM switches WHERE name = ?1"
    };
    let changed = step.db.prepare_cached(sql)?.execute([switch.as_str()])?;
    if changed > 0 && switch == Switch::Paused && !on {
        let mut select = step.db.prepare_cached("SELECT id FROM lanes WHERE ready > 0")?;
        let lanes = select.query_map([], |row| row.get(0))?;
        for lane in lanes.collect::<rusqlite::Result<Vec<i64>>>()? {
            let model = model_of(step.db, lane)?;
            step.changes.work(model);
        }
    }
    Ok(())
}
