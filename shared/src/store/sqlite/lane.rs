//! Lanes and fairness: a lane is a model's items of one priority, and inside
//! it tenants share by start-time fair queueing (Goyal, Vin, Cheng 1996).
//!
//! Each item gets a finish tag `F = max(V, F_last) + 1/weight`, where `F_last`
//! is the tag of the tenant's item before it and `V`, the lane's virtual
//! time, is the largest tag claimed. The lowest tag goes first, so a tenant
//! with thousands of items delays another's single one by a place or two.

use rusqlite::{Connection, OptionalExtension, params};

use crate::domain::{ModelName, Priority, TenantId};
use crate::store::StoreError;

/// A row of `lanes`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Lane {
    pub(super) id: i64,
    pub(super) virtual_time: f64,
}

/// Finish tags of one tenant's run of items: `start + step`, `start + 2·step`…
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tags {
    pub(super) start: f64,
    pub(super) step: f64,
}

impl Tags {
    /// Decides the tags of items that follow one tagged `last`.
    fn after(last: Option<f64>, virtual_time: f64, weight: u32) -> Self {
        let start = last.map_or(virtual_time, |last| last.max(virtual_time));
        Self { start, step: 1.0 / f64::from(weight.max(1)) }
    }

    /// The tag of the item at that place in the run.
    pub(super) fn of(self, place: u32) -> f64 {
        self.start + (f64::from(place) + 1.0) * self.step
    }
}

impl Lane {
    /// The lane of a model's items of that priority, made when absent.
    pub(super) fn of(
        db: &Connection,
        model: &ModelName,
        priority: Priority,
    ) -> Result<Self, StoreError> {
        if let Some(lane) = Self::find(db, model, priority)? {
            return Ok(lane);
        }
        let id = db
            .prepare_cached("INSERT INTO lanes (model, band) VALUES (?1, ?2)")?
            .insert(params![model, priority])?;
        Ok(Self { id, virtual_time: 0.0 })
    }

    /// The lane of a model's items of that priority, if there ever were any.
    pub(super) fn find(
        db: &Connection,
        model: &ModelName,
        priority: Priority,
    ) -> Result<Option<Self>, StoreError> {
        let mut select =
            db.prepare_cached("SELECT id, virtual_time FROM lanes WHERE model = ?1 AND band = ?2")?;
        let lane = select.query_row(params![model, priority], |row| {
            Ok(Self { id: row.get(0)?, virtual_time: row.get(1)? })
        });
        Ok(lane.optional()?)
    }

    /// Tags `count` items of a tenant, which thereby takes its place in line.
    pub(super) fn tag(
        self,
        db: &Connection,
        tenant: &TenantId,
        weight: u32,
        count: u32,
    ) -> Result<Tags, StoreError> {
        let last = db
            .prepare_cached("SELECT finish FROM shares WHERE lane = ?1 AND tenant = ?2")?
            .query_row(params![self.id, tenant], |row| row.get(0))
            .optional()?;
        let tags = Tags::after(last, self.virtual_time, weight);
        db.prepare_cached(
            "INSERT OR REPLACE INTO shares (lane, tenant, finish) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![self.id, tenant, tags.of(count.saturating_sub(1))])?;
        Ok(tags)
    }

    /// Notes that the item with that tag has been claimed.
    pub(super) fn advance(self, db: &Connection, claimed: f64) -> Result<(), StoreError> {
        db.prepare_cached(
            "UPDATE lanes SET virtual_time = ?2 WHERE id = ?1 AND virtual_time < ?2",
        )?
        .execute(params![self.id, claimed])?;
        Ok(())
    }
}

/// Whose items a lane holds.
pub(super) fn model_of(db: &Connection, lane: i64) -> Result<ModelName, StoreError> {
    let mut select = db.prepare_cached("SELECT model FROM lanes WHERE id = ?1")?;
    Ok(select.query_row([lane], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_that_comes_later_does_not_queue_behind_a_long_run() {
        let virtual_time = 5.0;
        let crowd = Tags::after(None, virtual_time, 1);
        let last_of_crowd = crowd.of(1_999);
        let single = Tags::after(None, virtual_time + 1.0, 1);
        assert!(single.of(0) < crowd.of(2), "{single:?} comes at once");
        assert!(Tags::after(Some(last_of_crowd), virtual_time, 1).of(0) > last_of_crowd);
    }

    #[test]
    fn a_weight_of_two_gets_two_places_for_one() {
        let light = Tags::after(None, 0.0, 1);
        let heavy = Tags::after(None, 0.0, 2);
        assert_eq!(light.of(0), heavy.of(1));
    }

    #[test]
    fn a_weight_of_zero_counts_as_one() {
        assert_eq!(Tags::after(None, 0.0, 0), Tags::after(None, 0.0, 1));
    }
}
