//! Answers kept for pictures that come again.

use async_trait::async_trait;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, ToSql, params};

use super::step::Step;
use super::store::SqliteStore;
use crate::domain::Timestamp;
use crate::store::cache::{check_entries, check_keys};
use crate::store::{Cache, CacheKey, CacheLimits, StoreError};

/// Entries past their time that one step of the sweep forgets.
const FORGOTTEN_PER_STEP: usize = 1_000;

impl ToSql for CacheKey {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.as_bytes())))
    }
}

#[async_trait]
impl Cache for SqliteStore {
    async fn recall(&self, keys: &[CacheKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        check_keys(keys)?;
        let (keys, clock) = (keys.to_vec(), self.clock.clone());
        self.readers.read(move |db| recall(db, &keys, clock.moment().wall)).await
    }

    async fn remember(
        &self,
        entries: &[(CacheKey, Vec<u8>)],
        limits: CacheLimits,
    ) -> Result<(), StoreError> {
        check_entries(entries)?;
        if self.has_no_room().await? {
            return Ok(());
        }
        let entries = entries.to_vec();
        self.writer.write_along(move |step| remember(step, &entries, limits)).await
    }
}

impl SqliteStore {
    /// Where jobs find no room, answers for later do not either.
    async fn has_no_room(&self) -> Result<bool, StoreError> {
        let gate = self.gate.clone();
        let checked = tokio::task::spawn_blocking(move || gate.disk.check()).await;
        Ok(checked.map_err(StoreError::unavailable)?.is_err())
    }
}

fn recall(
    db: &Connection,
    keys: &[CacheKey],
    now: Timestamp,
) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
    let mut select =
        db.prepare_cached("SELECT entry FROM cache WHERE key = ?1 AND expires_at > ?2")?;
    let mut find = |key| select.query_row(params![key, now], |row| row.get(0)).optional();
    Ok(keys.iter().map(&mut find).collect::<rusqlite::Result<_>>()?)
}

/// Work is bounded: as many go as come, and as many again where there are too
/// many of them.
fn remember(
    step: &mut Step<'_>,
    entries: &[(CacheKey, Vec<u8>)],
    limits: CacheLimits,
) -> Result<(), StoreError> {
    let expires_at = step.now.wall.plus(limits.ttl);
    let mut keep = step.db.prepare_cached(
        "INSERT INTO cache (key, entry, expires_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (key) DO UPDATE SET entry = excluded.entry, expires_at = excluded.expires_at",
    )?;
    for (key, entry) in entries {
        keep.execute(params![key, entry, expires_at])?;
    }
    let over = size(step.db)?.saturating_sub(limits.entries);
    let most = u64::try_from(2 * entries.len()).unwrap_or(u64::MAX);
    if over > 0 {
        step.db.prepare_cached(FORGET_OLDEST)?.execute([over.min(most)])?;
    }
    Ok(())
}

pub(super) const FORGET_OLDEST: &str = "
    DELETE FROM cache WHERE key IN (SELECT key FROM cache ORDER BY expires_at LIMIT ?1)";

/// Forgets entries past their time, some of them.
pub(super) fn forget(step: &Step<'_>) -> Result<(), StoreError> {
    step.db
        .prepare_cached(
            "DELETE FROM cache WHERE key IN
                 (SELECT key FROM cache WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
        )?
        .execute(params![step.now.wall, FORGOTTEN_PER_STEP])?;
    Ok(())
}

/// Entries that are kept, those past their time included.
pub(super) fn size(db: &Connection) -> Result<u64, StoreError> {
    let mut select = db.prepare_cached("SELECT entries FROM cache_size")?;
    Ok(select.query_row([], |row| row.get(0))?)
}
