//! Who wants to be told.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::giving_up::give_up_removed;
use super::lane::Lane;
use crate::domain::{
    Disabled, DisabledBecause, Endpoint, EndpointId, EndpointSecret, TenantId, Timestamp,
};
use crate::store::sqlite::step::Step;
use crate::store::sqlite::values::{Json, json};
use crate::store::{MAX_ENDPOINTS, StoreError};

/// An endpoint as its row wants it, made before the writer is bothered.
pub(super) struct EndpointRow {
    endpoint: Endpoint,
    events: String,
    secrets: String,
    disabled: Option<String>,
}

impl EndpointRow {
    /// The row of an endpoint.
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self, StoreError> {
        Ok(Self {
            events: json(&endpoint.events)?,
            secrets: json(&endpoint.secrets)?,
            disabled: endpoint.disabled.as_ref().map(json).transpose()?,
            endpoint: endpoint.clone(),
        })
    }
}

/// Writes an endpoint if it was made from the one that is there.
pub(super) fn put(step: &mut Step<'_>, row: &EndpointRow) -> Result<(), StoreError> {
    let EndpointRow { endpoint, events, secrets, disabled } = row;
    let Endpoint { id, tenant, .. } = endpoint;
    if endpoint.url.is_none() != (*id == EndpointId::callbacks()) {
        return Err(StoreError::Invalid("every endpoint but that of callbacks has a URL"));
    }
    let before = match find(step.db, tenant, id) {
        Ok(before) => Some(before),
        Err(StoreError::NotFound) => None,
        Err(error) => return Err(error),
    };
    if before.as_ref() == Some(endpoint) {
        // The same call came before, and its answer was lost on the way.
        return Ok(());
    }
    if endpoint.version != before.as_ref().map_or(0, |before| before.version) + 1 {
        return Err(StoreError::Stale);
    }
    if before.is_none() && is_full(step.db, tenant, id)? {
        return Err(StoreError::Invalid("a tenant has at most 50 endpoints"));
    }
    step.db
        .prepare_cached(
            "INSERT OR REPLACE INTO endpoints (tenant, id, url, events, description, secrets,
                                               disabled, created_at, version)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            tenant,
            id,
            endpoint.url,
            events,
            endpoint.description,
            secrets,
            disabled,
            endpoint.created_at,
            endpoint.version,
        ])?;
    // What was changed may be what made it fail. Callbacks fail for themselves.
    let lanes = if endpoint.url.is_some() { lanes_of(step.db, tenant, id)? } else { Vec::new() };
    for mut lane in lanes {
        lane.clear();
        lane.save(step.db)?;
        lane.refresh(step.db, step.now.wall)?;
        step.changes.delivery();
    }
    Ok(())
}

/// The lanes that an endpoint has: none or one, but for callbacks.
fn lanes_of(db: &Connection, tenant: &TenantId, id: &EndpointId) -> Result<Vec<Lane>, StoreError> {
    let mut select = db.prepare_cached(&format!(
        "SELECT {} FROM delivery_lanes WHERE tenant = ?1 AND endpoint = ?2",
        Lane::COLUMNS
    ))?;
    let lanes = select.query_map(params![tenant, id], Lane::of_row)?;
    Ok(lanes.collect::<rusqlite::Result<_>>()?)
}

fn is_full(db: &Connection, tenant: &TenantId, id: &EndpointId) -> Result<bool, StoreError> {
    let callbacks = EndpointId::callbacks();
    let mut count =
        db.prepare_cached("SELECT count(*) FROM endpoints WHERE tenant = ?1 AND id <> ?2")?;
    let there: usize = count.query_row(params![tenant, callbacks], |row| row.get(0))?;
    Ok(*id != callbacks && there >= MAX_ENDPOINTS)
}

/// One endpoint.
pub(super) fn find(
    db: &Connection,
    tenant: &TenantId,
    id: &EndpointId,
) -> Result<Endpoint, StoreError> {
    let mut select = db.prepare_cached("SELECT * FROM endpoints WHERE tenant = ?1 AND id = ?2")?;
    let found = select.query_row(params![tenant, id], of_row).optional()?;
    found.ok_or(StoreError::NotFound)
}

/// The tenant's endpoints, oldest first.
pub(super) fn list(db: &Connection, tenant: &TenantId) -> Result<Vec<Endpoint>, StoreError> {
    let mut select =
        db.prepare_cached("SELECT * FROM endpoints WHERE tenant = ?1 ORDER BY created_at, id")?;
    let rows = select.query_map([tenant], of_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn of_row(row: &Row<'_>) -> rusqlite::Result<Endpoint> {
    Ok(Endpoint {
        id: row.get("id")?,
        tenant: row.get("tenant")?,
        url: row.get("url")?,
        events: row.get::<_, Json<_>>("events")?.0,
        description: row.get("description")?,
        secrets: row.get::<_, Json<Vec<EndpointSecret>>>("secrets")?.0,
        disabled: row.get::<_, Option<Json<_>>>("disabled")?.map(|disabled| disabled.0),
        created_at: row.get("created_at")?,
        version: row.get("version")?,
    })
}

/// Removes an endpoint. Of what is pending a part is given up here, the rest
/// by the claims that follow.
pub(super) fn remove(
    step: &mut Step<'_>,
    tenant: &TenantId,
    id: &EndpointId,
) -> Result<(), StoreError> {
    let removed = step
        .db
        .prepare_cached("DELETE FROM endpoints WHERE tenant = ?1 AND id = ?2")?
        .execute(params![tenant, id])?;
    if removed == 0 {
        return Err(StoreError::NotFound);
    }
    give_up_removed(step, &lanes_of(step.db, tenant, id)?)?;
    step.changes.delivery();
    Ok(())
}

/// Disables an endpoint that is not disabled yet.
pub(super) fn disable(
    db: &Connection,
    tenant: &TenantId,
    id: &EndpointId,
    because: DisabledBecause,
    at: Timestamp,
) -> Result<(), StoreError> {
    db.prepare_cached(
        "UPDATE endpoints SET disabled = ?3, version = version + 1
         WHERE tenant = ?1 AND id = ?2 AND disabled IS NULL",
    )?
    .execute(params![tenant, id, json(&Disabled { because, at })?])?;
    Ok(())
}
