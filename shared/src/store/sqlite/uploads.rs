//! Bytes of uploads in the same file as the jobs, so that they share the
//! commits of everything else: a picture costs no wait for the disk of its
//! own while others are being written.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};

use super::step::Step;
use super::store::SqliteStore;
use crate::domain::{ItemRef, JobId};
use crate::store::StoreError;

/// Keeps an item's bytes, replacing what it had.
pub(super) fn put(step: &Step<'_>, item: ItemRef, bytes: &[u8]) -> Result<(), StoreError> {
    let mut insert = step.db.prepare_cached(
        "INSERT INTO uploads (job, item, bytes) VALUES (?1, ?2, ?3)
         ON CONFLICT (job, item) DO UPDATE SET bytes = excluded.bytes",
    )?;
    insert.execute(params![item.job, item.index, bytes])?;
    Ok(())
}

/// An item's bytes; `None` when there are none.
pub(super) fn get(db: &Connection, item: ItemRef) -> Result<Option<Bytes>, StoreError> {
    let mut select = db.prepare_cached("SELECT bytes FROM uploads WHERE job = ?1 AND item = ?2")?;
    let bytes = select.query_row(params![item.job, item.index], |row| row.get::<_, Vec<u8>>(0));
    Ok(bytes.optional()?.map(Bytes::from))
}

/// Removes an item's bytes; answers whether there were any.
pub(super) fn delete(step: &Step<'_>, item: ItemRef) -> Result<bool, StoreError> {
    let mut delete = step.db.prepare_cached("DELETE FROM uploads WHERE job = ?1 AND item = ?2")?;
    Ok(delete.execute(params![item.job, item.index])? > 0)
}

impl SqliteStore {
    /// Keeps an item's bytes, replacing what it had. They reach the disk with what is
    /// written after them: the job that they belong to.
    pub(crate) async fn put_upload(&self, item: ItemRef, bytes: Bytes) -> Result<(), StoreError> {
        self.write_unsynced(move |step| put(step, item, &bytes)).await
    }

    /// An item's bytes; `None` when there are none.
    pub(crate) async fn upload(&self, item: ItemRef) -> Result<Option<Bytes>, StoreError> {
        self.read(move |db| get(db, item)).await
    }

    /// Removes the bytes of items; answers those that had none.
    pub(crate) async fn delete_uploads(
        &self,
        items: Arc<[ItemRef]>,
    ) -> Result<Vec<ItemRef>, StoreError> {
        self.write(move |step| {
            let mut absent = Vec::new();
            for item in items.iter() {
                if !delete(step, *item)? {
                    absent.push(*item);
                }
            }
            Ok(absent)
        })
        .await
    }

    /// Removes the bytes of a job's items.
    pub(crate) async fn delete_uploads_of(&self, job: JobId) -> Result<(), StoreError> {
        self.write(move |step| {
            step.db.prepare_cached("DELETE FROM uploads WHERE job = ?1")?.execute([job])?;
            Ok(())
        })
        .await
    }

    /// Jobs that have bytes here, ascending by id and so by age: at most
    /// `limit` between two ids.
    pub(crate) async fn jobs_with_uploads(
        &self,
        behind: Option<JobId>,
        before: JobId,
        limit: usize,
    ) -> Result<Vec<JobId>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT DISTINCT job FROM uploads INDEXED BY uploads_by_item
                 WHERE job > coalesce(?1, x'') AND job < ?2 ORDER BY job LIMIT ?3",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let jobs = select.query_map(params![behind, before, limit], |row| row.get(0))?;
            Ok(jobs.collect::<Result<_, _>>()?)
        })
        .await
    }
}
