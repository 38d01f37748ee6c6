//! Who wants to be told.

use super::sending::GIVEN_UP_PER_CALL;
use crate::domain::{Endpoint, EndpointId, Event, TenantId, Timestamp};
use crate::store::redis::intake::unknown_word;
use crate::store::redis::keys::Shard;
use crate::store::redis::records::{Fields, read, read_json, write_json};
use crate::store::redis::server::Server;
use crate::store::{MAX_ENDPOINTS, StoreError};

/// What the scripts know an endpoint by that is to be told nothing.
const WANTS_NOTHING: &str = "-";

/// An endpoint, new or changed.
pub(super) async fn put(server: &Server, endpoint: &Endpoint) -> Result<(), StoreError> {
    let Endpoint { id, tenant, url, events, .. } = endpoint;
    if url.is_none() != (*id == EndpointId::callbacks()) {
        return Err(StoreError::Invalid("every endpoint but that of callbacks has a URL"));
    }
    let wants = if url.is_none() || endpoint.disabled.is_some() {
        WANTS_NOTHING.to_owned()
    } else {
        events.iter().copied().map(Event::as_str).collect::<Vec<_>>().join(",")
    };
    if wants != WANTS_NOTHING {
        // Before the home knows of it: once this call has returned, no job's
        // end is missed.
        for shard in server.shards().abroad() {
            let mut step = server.step(&server.scripts().expect_news, shard);
            step.arg(tenant.as_str());
            let _: String = server.run(&step).await?;
        }
    }
    let mut step = server.step(&server.scripts().put_endpoint, Shard::HOME);
    step.arg(tenant.as_str())
        .arg(id.as_str())
        .arg(endpoint.version)
        .arg(endpoint.created_at.0)
        .arg(MAX_ENDPOINTS)
        .arg(wants)
        .arg("url")
        .arg(url.as_deref().unwrap_or_default())
        .arg("events")
        .arg(write_json(events)?)
        .arg("description")
        .arg(&endpoint.description)
        .arg("secrets")
        .arg(write_json(&endpoint.secrets)?)
        .arg("disabled")
        .arg(endpoint.disabled.as_ref().map(write_json).transpose()?.unwrap_or_default());
    match server.run::<String>(&step).await?.as_str() {
        "stored" => Ok(()),
        "stale" => Err(StoreError::Stale),
        "full" => Err(StoreError::Invalid("a tenant has at most 50 endpoints")),
        word => Err(unknown_word(word)),
    }
}

/// One endpoint.
pub(super) async fn find(
    server: &Server,
    tenant: &TenantId,
    id: &EndpointId,
) -> Result<Endpoint, StoreError> {
    select(server, tenant, id.as_str()).await?.pop().ok_or(StoreError::NotFound)
}

/// The tenant's endpoints, oldest first.
pub(super) async fn list(server: &Server, tenant: &TenantId) -> Result<Vec<Endpoint>, StoreError> {
    select(server, tenant, "").await
}

async fn select(server: &Server, tenant: &TenantId, id: &str) -> Result<Vec<Endpoint>, StoreError> {
    let mut step = server.step(&server.scripts().endpoints, Shard::HOME);
    step.arg(tenant.as_str()).arg(id);
    let rows: Vec<(String, Fields)> = server.run(&step).await?;
    rows.iter().map(|(id, fields)| read_endpoint(tenant, id, fields)).collect()
}

fn read_endpoint(tenant: &TenantId, id: &str, fields: &Fields) -> Result<Endpoint, StoreError> {
    let text = |name: &str| fields.get(name).map_or("", String::as_str);
    Ok(Endpoint {
        id: read("an endpoint id", id)?,
        tenant: tenant.clone(),
        url: fields.get("url").cloned(),
        events: read_json(text("events"))?,
        description: text("description").to_owned(),
        secrets: read_json(text("secrets"))?,
        disabled: fields.get("disabled").map(|text| read_json(text)).transpose()?,
        created_at: Timestamp(read("a time", text("created"))?),
        version: read("a version", text("version"))?,
    })
}

/// An endpoint's end.
pub(super) async fn remove(
    server: &Server,
    tenant: &TenantId,
    id: &EndpointId,
) -> Result<(), StoreError> {
    let mut step = server.step(&server.scripts().remove_endpoint, Shard::HOME);
    step.arg(tenant.as_str()).arg(id.as_str()).arg(GIVEN_UP_PER_CALL);
    match server.run::<String>(&step).await?.as_str() {
        "removed" => Ok(()),
        "unknown" => Err(StoreError::NotFound),
        word => Err(unknown_word(word)),
    }
}
