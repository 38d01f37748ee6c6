//! A tenant's place in the line: tenants take turns, and one that has its
//! share under way waits until a part of it ends.

use rusqlite::{Connection, params};

use crate::domain::{TenantId, Timestamp};
use crate::store::StoreError;

/// Tenants whose lanes a claim should look at, those served longest ago first.
pub(super) fn due_tenants(
    db: &Connection,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<TenantId>, StoreError> {
    let mut select = db.prepare_cached(DUE_TENANTS)?;
    let rows = select.query_map(params![now, limit], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(in crate::store::sqlite) const DUE_TENANTS: &str = "
    SELECT tenant FROM delivery_tenants INDEXED BY delivery_tenants_due
    WHERE next_at <= ?1 ORDER BY next_at, turn LIMIT ?2";

/// The highest turn that a lane or a tenant has taken.
pub(super) fn last_turn(db: &Connection) -> Result<i64, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT max(coalesce((SELECT max(turn) FROM delivery_lanes), 0),
                    coalesce((SELECT max(turn) FROM delivery_tenants), 0))",
    )?;
    Ok(select.query_row([], |row| row.get(0))?)
}

/// How many more deliveries of a tenant may be held, when all senders may hold
/// `per_tenant`.
pub(super) fn room(
    db: &Connection,
    tenant: &TenantId,
    per_tenant: usize,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let mut count = db.prepare_cached(
        "SELECT count(*) FROM deliveries INDEXED BY deliveries_held_by_tenant
         WHERE tenant = ?1 AND token IS NOT NULL AND ready_at > ?2",
    )?;
    let held: usize = count.query_row(params![tenant, now], |row| row.get(0))?;
    Ok(per_tenant.saturating_sub(held))
}

/// Sends a tenant to the end of the line of those that are due.
pub(super) fn take(
    db: &Connection,
    tenant: &TenantId,
    now: Timestamp,
    turn: i64,
) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE delivery_tenants SET served_at = ?2, turn = ?3 WHERE tenant = ?1")?
        .execute(params![tenant, now, turn])?;
    Ok(())
}

/// Decides anew when a claim should look at a tenant: when it should look at
/// the first of its lanes, and its turn has come. One with nothing pending
/// goes. A last service that is yet to come was written by a clock that was
/// wrong.
pub(super) fn refresh(
    db: &Connection,
    tenant: &TenantId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let first: Option<Timestamp> = db
        .prepare_cached(
            "SELECT min(next_at) FROM delivery_lanes INDEXED BY delivery_lanes_due
             WHERE tenant = ?1 AND next_at IS NOT NULL",
        )?
        .query_row([tenant], |row| row.get(0))?;
    match first {
        Some(first) => db
            .prepare_cached(
                "INSERT INTO delivery_tenants (tenant, next_at) VALUES (?1, ?2)
                 ON CONFLICT (tenant) DO UPDATE
                 SET next_at = max(excluded.next_at, min(served_at, ?3))",
            )?
            .execute(params![tenant, first, now])?,
        None => db
            .prepare_cached("DELETE FROM delivery_tenants WHERE tenant = ?1")?
            .execute([tenant])?,
    };
    Ok(())
}

/// Leaves a tenant alone until the first lease of its deliveries is over; one
/// that ends sooner refreshes it.
pub(super) fn park(db: &Connection, tenant: &TenantId, now: Timestamp) -> Result<(), StoreError> {
    db.prepare_cached(
        "UPDATE delivery_tenants SET next_at = coalesce(
             (SELECT ready_at FROM deliveries INDEXED BY deliveries_held_by_tenant
              WHERE tenant = ?1 AND token IS NOT NULL AND ready_at > ?2
              ORDER BY ready_at LIMIT 1), next_at)
         WHERE tenant = ?1",
    )?
    .execute(params![tenant, now])?;
    Ok(())
}
