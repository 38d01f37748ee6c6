//! API keys.

use std::time::Duration;

use async_trait::async_trait;

use super::keys::Shard;
use super::records::read;
use super::server::{Server, millis};
use super::store::RedisStore;
use crate::domain::{ApiKey, KeyHash, KeyId, NewApiKey, Timestamp};
use crate::store::{Keys, MAX_KEYS, StoreError};

/// Keys that one script call reads or looks through.
const KEYS_PER_CALL: usize = 500;

#[async_trait]
impl Keys for RedisStore {
    async fn put_key(&self, key: &NewApiKey) -> Result<ApiKey, StoreError> {
        let server = self.server();
        let mut step = server.step(&server.scripts().put_key, Shard::ONLY);
        step.arg(key.id.as_str())
            .arg(hex(&key.hash))
            .arg(&key.name)
            .arg(key.tenant.as_str())
            .arg(key.scopes.to_string())
            .arg(key.weight)
            .arg(key.rate_per_minute.map_or_else(String::new, |rate| rate.to_string()))
            .arg(key.lifetime.map_or_else(String::new, |time| millis(time).to_string()))
            .arg(MAX_KEYS);
        let (word, row): (String, Vec<String>) = server.run(&step).await?;
        match word.as_str() {
            "taken" => Err(StoreError::Invalid("another key has that id")),
            "full" => Err(StoreError::Invalid("there are as many keys as there may be")),
            _ => read_key(&row)?.ok_or_else(|| StoreError::Corrupt("a key is not kept".to_owned())),
        }
    }

    async fn key(&self, id: &KeyId) -> Result<Option<ApiKey>, StoreError> {
        let server = self.server();
        let mut step = server.step(&server.scripts().find_key, Shard::ONLY);
        step.arg(id.as_str());
        let row: Vec<String> = server.run(&step).await?;
        read_key(&row)
    }

    async fn keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        let mut keys = Vec::new();
        loop {
            let page = page(self.server(), keys.len()).await?;
            let whole = page.len() == KEYS_PER_CALL;
            keys.extend(page);
            if !whole {
                return Ok(keys);
            }
        }
    }

    async fn revoke_key(&self, id: &KeyId) -> Result<(), StoreError> {
        let server = self.server();
        let mut step = server.step(&server.scripts().revoke_key, Shard::ONLY);
        step.arg(id.as_str());
        let there: bool = server.run(&step).await?;
        if there { Ok(()) } else { Err(StoreError::NotFound) }
    }

    async fn purge_keys(&self, ended_for: Duration) -> Result<u64, StoreError> {
        let server = self.server();
        let (mut first, mut purged) = (0, 0);
        loop {
            let mut step = server.step(&server.scripts().purge_keys, Shard::ONLY);
            step.arg(first).arg(KEYS_PER_CALL).arg(millis(ended_for));
            let (seen, gone): (usize, usize) = server.run(&step).await?;
            purged += gone;
            if seen < KEYS_PER_CALL {
                return Ok(purged as u64);
            }
            // Those that stay have moved up to the places of those that are gone.
            first += seen - gone;
        }
    }

    async fn touch_key(&self, id: &KeyId) -> Result<(), StoreError> {
        let server = self.server();
        let mut step = server.step(&server.scripts().touch_key, Shard::ONLY);
        step.arg(id.as_str()).arg(Timestamp::DAY_MS);
        let _: String = server.run(&step).await?;
        Ok(())
    }
}

async fn page(server: &Server, first: usize) -> Result<Vec<ApiKey>, StoreError> {
    let mut step = server.step(&server.scripts().list_keys, Shard::ONLY);
    step.arg(first).arg(KEYS_PER_CALL);
    let rows: Vec<Vec<String>> = server.run(&step).await?;
    let keys = rows.iter().map(|row| read_key(row));
    Ok(keys.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// A key from its fields, in the order of `scripts/parts/api_keys.lua`; none
/// from none.
fn read_key(row: &[String]) -> Result<Option<ApiKey>, StoreError> {
    let [id, hash, name, tenant, scopes, weight, rate, created, expires, revoked, used] = row
    else {
        let broken = || StoreError::Corrupt(format!("a key of {} fields", row.len()));
        return if row.is_empty() { Ok(None) } else { Err(broken()) };
    };
    let time = |what, text: &String| optional(what, text).map(|time| time.map(Timestamp));
    Ok(Some(ApiKey {
        id: read("a key's id", id)?,
        hash: read_hash(hash)?,
        name: name.clone(),
        tenant: read("a tenant", tenant)?,
        scopes: read("scopes", scopes)?,
        weight: read("a weight", weight)?,
        rate_per_minute: optional("a rate", rate)?,
        created_at: Timestamp(read("a time", created)?),
        expires_at: time("a time", expires)?,
        revoked_at: time("a time", revoked)?,
        last_used_on: time("a day", used)?,
    }))
}

fn optional<T: std::str::FromStr>(what: &str, text: &str) -> Result<Option<T>, StoreError> {
    if text.is_empty() { Ok(None) } else { read(what, text).map(Some) }
}

fn hex(hash: &KeyHash) -> String {
    hash.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_hash(text: &str) -> Result<KeyHash, StoreError> {
    let broken = || StoreError::Corrupt("a key's hash".to_owned());
    let mut bytes = [0; 32];
    if text.len() != 2 * bytes.len() {
        return Err(broken());
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        let digits = text.get(2 * place..2 * place + 2).ok_or_else(broken)?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| broken())?;
    }
    Ok(KeyHash::from_bytes(bytes))
}
