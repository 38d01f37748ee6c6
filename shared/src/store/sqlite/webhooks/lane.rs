//! A lane: deliveries that share a cap and a breaker. What a lane holds is
//! looked at through its own indexes only, so that none pays for the backlog
//! of another, or for the length of its own.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::turn;
use crate::domain::{DeliveryId, EndpointId, TenantId, Timestamp};
use crate::store::webhooks::{DISABLED_AFTER, rest_after};
use crate::store::{BREAKER_AFTER, StoreError};

/// A row of `delivery_lanes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) id: i64,
    pub(super) tenant: TenantId,
    pub(super) endpoint: EndpointId,
    pub(super) origin: String,
    /// Failures in a row.
    pub(super) failures: u32,
    /// When the first of them was.
    pub(super) failing_since: Option<Timestamp>,
    /// When the breaker lets one delivery pass.
    pub(super) rest_until: Option<Timestamp>,
}

impl Lane {
    /// The columns of a lane, as [`Self::of_row`] reads them.
    pub(super) const COLUMNS: &str =
        "id, tenant, endpoint, origin, failures, failing_since, rest_until";

    pub(super) fn of_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            tenant: row.get("tenant")?,
            endpoint: row.get("endpoint")?,
            origin: row.get("origin")?,
            failures: row.get("failures")?,
            failing_since: row.get("failing_since")?,
            rest_until: row.get("rest_until")?,
        })
    }

    /// The lane of a tenant's receiver, made when absent.
    pub(super) fn of(
        db: &Connection,
        tenant: &TenantId,
        endpoint: &EndpointId,
        origin: &str,
    ) -> Result<Self, StoreError> {
        db.prepare_cached(
            "INSERT INTO delivery_lanes (tenant, endpoint, origin) VALUES (?1, ?2, ?3)
             ON CONFLICT (tenant, endpoint, origin) DO NOTHING",
        )?
        .execute(params![tenant, endpoint, origin])?;
        let mut select = db.prepare_cached(&format!(
            "SELECT {} FROM delivery_lanes WHERE tenant = ?1 AND endpoint = ?2 AND origin = ?3",
            Self::COLUMNS
        ))?;
        Ok(select.query_row(params![tenant, endpoint, origin], Self::of_row)?)
    }

    /// The lane of that number.
    pub(super) fn find(db: &Connection, id: i64) -> Result<Self, StoreError> {
        let mut select = db.prepare_cached(&format!(
            "SELECT {} FROM delivery_lanes WHERE id = ?1",
            Self::COLUMNS
        ))?;
        Ok(select.query_row([id], Self::of_row)?)
    }

    /// What callers know it by.
    pub(super) fn name(&self) -> String {
        let name = if self.is_of_callbacks() { &self.origin } else { self.endpoint.as_str() };
        name.to_owned()
    }

    pub(super) fn is_of_callbacks(&self) -> bool {
        self.endpoint == EndpointId::callbacks()
    }

    /// How many more deliveries may be held, when all senders may hold
    /// `per_lane`: a lane that failed lets one try.
    pub(super) fn room(
        &self,
        db: &Connection,
        per_lane: usize,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let cap = if self.failures >= BREAKER_AFTER { 1 } else { per_lane };
        let mut count = db.prepare_cached(
            "SELECT count(*) FROM deliveries INDEXED BY deliveries_held
             WHERE lane = ?1 AND token IS NOT NULL AND ready_at > ?2",
        )?;
        let held: usize = count.query_row(params![self.id, now], |row| row.get(0))?;
        Ok(cap.saturating_sub(held))
    }

    /// Its deliveries that can be claimed by `until`, longest first.
    pub(super) fn ready(
        &self,
        db: &Connection,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<DeliveryId>, StoreError> {
        let mut select = db.prepare_cached(READY_DELIVERIES)?;
        let rows = select.query_map(params![self.id, until, limit], |row| {
            Ok(DeliveryId { job: row.get(0)?, endpoint: row.get(1)? })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// A failure: enough of them in a row open the breaker. Those of
    /// deliveries that were under way when it opened change nothing.
    pub(super) fn count_failure(&mut self, now: Timestamp) {
        if self.rest_until.is_some_and(|until| now < until) {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        self.failing_since.get_or_insert(now);
        self.rest_until = rest_after(self.failures).map(|rest| now.plus(rest));
    }

    /// A success, or a new start.
    pub(super) fn clear(&mut self) {
        self.failures = 0;
        self.failing_since = None;
        self.rest_until = None;
    }

    /// Whether nothing has reached its receiver for too long.
    pub(super) fn has_failed_for_good(&self, now: Timestamp) -> bool {
        self.failures >= BREAKER_AFTER
            && self.failing_since.is_some_and(|since| now.since(since) >= DISABLED_AFTER)
    }

    /// Writes the breaker down.
    pub(super) fn save(&self, db: &Connection) -> Result<(), StoreError> {
        db.prepare_cached(
            "UPDATE delivery_lanes SET failures = ?2, failing_since = ?3, rest_until = ?4
             WHERE id = ?1",
        )?
        .execute(params![self.id, self.failures, self.failing_since, self.rest_until])?;
        Ok(())
    }

    /// Sends the lane to the end of the line of those that are due.
    pub(super) fn take_turn(
        &self,
        db: &Connection,
        now: Timestamp,
        turn: i64,
    ) -> Result<(), StoreError> {
        db.prepare_cached("UPDATE delivery_lanes SET served_at = ?2, turn = ?3 WHERE id = ?1")?
            .execute(params![self.id, now, turn])?;
        Ok(())
    }

    /// Decides anew when a claim should look at the lane: when its first
    /// delivery can be claimed, its rest is over and its turn has come. A lane
    /// with nothing pending goes, but for that of an endpoint that is there,
    /// which remembers since when it fails. A last service that is yet to come
    /// was written by a clock that was wrong.
    pub(super) fn refresh(&self, db: &Connection, now: Timestamp) -> Result<(), StoreError> {
        let next: Option<Timestamp> = db
            .prepare_cached(
                "UPDATE delivery_lanes SET next_at =
                     max((SELECT ready_at FROM deliveries WHERE lane = delivery_lanes.id
                          ORDER BY ready_at LIMIT 1), coalesce(rest_until, 0), min(served_at, ?2))
                 WHERE id = ?1 RETURNING next_at",
            )?
            .query_row(params![self.id, now], |row| row.get(0))
            .optional()?
            .flatten();
        if next.is_none() {
            db.prepare_cached(
                "DELETE FROM delivery_lanes WHERE id = ?1 AND NOT EXISTS
                     (SELECT 1 FROM endpoints e WHERE e.url IS NOT NULL
                      AND e.tenant = delivery_lanes.tenant AND e.id = delivery_lanes.endpoint)",
            )?
            .execute([self.id])?;
        }
        turn::refresh(db, &self.tenant, now)
    }

    /// Leaves the lane alone until the first lease in it is over; one that
    /// ends sooner refreshes it.
    pub(super) fn park(&self, db: &Connection, now: Timestamp) -> Result<(), StoreError> {
        db.prepare_cached(
            "UPDATE delivery_lanes SET next_at =
                 (SELECT ready_at FROM deliveries INDEXED BY deliveries_held
                  WHERE lane = ?1 AND token IS NOT NULL AND ready_at > ?2
                  ORDER BY ready_at LIMIT 1)
             WHERE id = ?1",
        )?
        .execute(params![self.id, now])?;
        turn::refresh(db, &self.tenant, now)
    }

    /// Has the next claim look at the lane.
    pub(super) fn look_at(&self, db: &Connection, now: Timestamp) -> Result<(), StoreError> {
        db.prepare_cached("UPDATE delivery_lanes SET next_at = ?2 WHERE id = ?1")?
            .execute(params![self.id, now])?;
        turn::refresh(db, &self.tenant, now)
    }
}

pub(in crate::store::sqlite) const READY_DELIVERIES: &str = "
    SELECT job, endpoint FROM deliveries INDEXED BY deliveries_ready
    WHERE lane = ?1 AND ready_at <= ?2 ORDER BY ready_at, job, endpoint LIMIT ?3";
