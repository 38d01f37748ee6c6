//! API keys.

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::step::Step;
use super::store::SqliteStore;
use crate::domain::{ApiKey, KeyHash, KeyId, NewApiKey, Timestamp};
use crate::store::{Keys, MAX_KEYS, StoreError};

const KEY: &str = "
    SELECT id, hash, name, tenant, scopes, weight, rate_per_minute, created_at, expires_at,
           revoked_at, last_used_on
    FROM api_keys";

#[async_trait]
impl Keys for SqliteStore {
    async fn put_key(&self, key: &NewApiKey) -> Result<ApiKey, StoreError> {
        let key = key.clone();
        self.write(move |step| put(step, &key)).await
    }

    async fn key(&self, id: &KeyId) -> Result<Option<ApiKey>, StoreError> {
        let id = id.clone();
        self.read(move |db| find(db, &id)).await
    }

    async fn keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.read(all).await
    }

    async fn revoke_key(&self, id: &KeyId) -> Result<(), StoreError> {
        let id = id.clone();
        self.write(move |step| revoke(step, &id)).await
    }

    async fn purge_keys(&self, ended_for: Duration) -> Result<u64, StoreError> {
        self.write(move |step| purge(step, ended_for)).await
    }

    async fn touch_key(&self, id: &KeyId) -> Result<(), StoreError> {
        let id = id.clone();
        self.write(move |step| touch(step, &id)).await
    }
}

fn put(step: &Step<'_>, key: &NewApiKey) -> Result<ApiKey, StoreError> {
    if let Some(there) = find(step.db, &key.id)? {
        let same = there.hash.matches(&key.hash);
        return same.then_some(there).ok_or(StoreError::Invalid("another key has that id"));
    }
    let count: usize =
        step.db.prepare_cached("SELECT count(*) FROM api_keys")?.query_row([], |row| row.get(0))?;
    if count >= MAX_KEYS {
        return Err(StoreError::Invalid("there are as many keys as there may be"));
    }
    let now = step.now.wall;
    let kept = ApiKey {
        id: key.id.clone(),
        hash: key.hash,
        name: key.name.clone(),
        tenant: key.tenant.clone(),
        scopes: key.scopes.clone(),
        weight: key.weight,
        rate_per_minute: key.rate_per_minute,
        created_at: now,
        expires_at: key.lifetime.map(|lifetime| now.plus(lifetime)),
        revoked_at: None,
        last_used_on: None,
    };
    step.db
        .prepare_cached(
            "INSERT INTO api_keys (id, hash, name, tenant, scopes, weight, rate_per_minute,
                                   created_at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            kept.id,
            kept.hash.as_bytes(),
            kept.name,
            kept.tenant,
            kept.scopes.to_string(),
            kept.weight,
            kept.rate_per_minute,
            kept.created_at,
            kept.expires_at,
        ])?;
    Ok(kept)
}

fn find(db: &Connection, id: &KeyId) -> Result<Option<ApiKey>, StoreError> {
    let mut select = db.prepare_cached(&format!("{KEY} WHERE id = ?1"))?;
    Ok(select.query_row([id], key_of).optional()?)
}

fn all(db: &Connection) -> Result<Vec<ApiKey>, StoreError> {
    let mut select = db.prepare_cached(&format!("{KEY} ORDER BY created_at, id"))?;
    let rows = select.query_map([], key_of)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn revoke(step: &Step<'_>, id: &KeyId) -> Result<(), StoreError> {
    let changed = step
        .db
        .prepare_cached("UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1")?
        .execute(params![id, step.now.wall])?;
    if changed == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}

fn purge(step: &Step<'_>, ended_for: Duration) -> Result<u64, StoreError> {
    let age = u64::try_from(ended_for.as_millis()).unwrap_or(u64::MAX);
    let latest = Timestamp(step.now.wall.0.saturating_sub(age));
    let purged = step
        .db
        .prepare_cached("DELETE FROM api_keys WHERE revoked_at <= ?1 OR expires_at <= ?1")?
        .execute([latest])?;
    Ok(purged as u64)
}

fn touch(step: &Step<'_>, id: &KeyId) -> Result<(), StoreError> {
    step.db
        .prepare_cached(
            "UPDATE api_keys SET last_used_on = ?2
             WHERE id = ?1 AND coalesce(last_used_on, 0) < ?2",
        )?
        .execute(params![id, step.now.wall.day()])?;
    Ok(())
}

fn key_of(row: &Row<'_>) -> rusqlite::Result<ApiKey> {
    Ok(ApiKey {
        id: row.get("id")?,
        hash: KeyHash::from_bytes(row.get("hash")?),
        name: row.get("name")?,
        tenant: row.get("tenant")?,
        scopes: row.get("scopes")?,
        weight: row.get("weight")?,
        rate_per_minute: row.get("rate_per_minute")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
        revoked_at: row.get("revoked_at")?,
        last_used_on: row.get("last_used_on")?,
    })
}
