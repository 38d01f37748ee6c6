//! Blobs in the file of a SQLite store, beside the jobs. A photograph of a
//! shop is small, and a row costs a part of a commit where a file of its own
//! costs three waits for the disk. Large ones are files all the same: they
//! would keep the one writer busy.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::aged::oldest_young;
use super::{BlobError, BlobStore, FileBlobs};
use crate::domain::{ItemRef, JobId, Timestamp};
use crate::store::SqliteStore;

/// Bytes of the largest blob that is a row.
const LARGEST_ROW: usize = 256 * 1024;

/// Small blobs as rows of the store, large ones as files.
#[derive(Debug)]
pub struct SqliteBlobs {
    store: Arc<SqliteStore>,
    files: FileBlobs,
    /// Behind which job the walk over aged ones goes on.
    behind: Mutex<Option<JobId>>,
}

impl SqliteBlobs {
    /// Blobs in a store, with large ones in `files`.
    #[must_use]
    pub fn new(store: Arc<SqliteStore>, files: FileBlobs) -> Self {
        Self { store, files, behind: Mutex::default() }
    }
}

#[async_trait]
impl BlobStore for SqliteBlobs {
    async fn admits(&self) -> Result<(), BlobError> {
        self.files.admits().await
    }

    fn goes_with_job(&self, bytes: usize) -> bool {
        bytes <= LARGEST_ROW
    }

    async fn put(&self, item: ItemRef, bytes: Bytes) -> Result<(), BlobError> {
        if !self.goes_with_job(bytes.len()) {
            // Rows are looked at first, so none may hide the file.
            self.store.delete_uploads(Arc::new([item])).await?;
            return self.files.put(item, bytes).await;
        }
        Ok(self.store.put_upload(item, bytes).await?)
    }

    async fn get(&self, item: ItemRef) -> Result<Option<Bytes>, BlobError> {
        match self.store.upload(item).await? {
            Some(bytes) => Ok(Some(bytes)),
            None => self.files.get(item).await,
        }
    }

    async fn delete(&self, items: &[ItemRef]) -> Result<(), BlobError> {
        let others = self.store.delete_uploads(items.into()).await?;
        if others.is_empty() { Ok(()) } else { self.files.delete(&others).await }
    }

    async fn delete_job(&self, job: JobId, items: u32) -> Result<(), BlobError> {
        self.store.delete_uploads_of(job).await?;
        self.files.delete_job(job, items).await
    }

    async fn aged_jobs(&self, limit: usize) -> Result<Vec<JobId>, BlobError> {
        let behind = *self.behind.lock().unwrap_or_else(PoisonError::into_inner);
        let young = oldest_young(Timestamp::now());
        let mut aged = self.store.jobs_with_uploads(behind, young, limit).await?;
        let next = if aged.len() < limit { None } else { aged.last().copied() };
        *self.behind.lock().unwrap_or_else(PoisonError::into_inner) = next;
        if aged.len() < limit {
            aged.append(&mut self.files.aged_jobs(limit - aged.len()).await?);
        }
        Ok(aged)
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::clock::Clock;
    use crate::disk::Reserve;
    use crate::store::{SqliteOptions, StoreLimits};

    fn open(folder: &TempDir) -> SqliteBlobs {
        let store = SqliteStore::open(SqliteOptions {
            path: folder.path().join("aisle.db"),
            limits: StoreLimits::of_items(100),
            reserve: Reserve::NONE,
            ballast: 0,
            clock: Clock::Store,
        });
        let files = FileBlobs::open(folder.path().join("uploads")).unwrap();
        SqliteBlobs::new(Arc::new(store.unwrap()), files)
    }

    fn fresh() -> (TempDir, SqliteBlobs) {
        let folder = tempfile::tempdir().unwrap();
        let blobs = open(&folder);
        (folder, blobs)
    }

    fn item(job: JobId, index: u32) -> ItemRef {
        ItemRef { job, index }
    }

    fn large() -> Bytes {
        vec![7; LARGEST_ROW + 1].into()
    }

    #[tokio::test]
    async fn small_and_large_ones_come_back_as_they_were_put_even_to_another_process() {
        let (folder, blobs) = fresh();
        let job = JobId::generate();
        let every_byte = Bytes::from_iter(0..=u8::MAX);
        let all = [every_byte, Bytes::new(), large()];
        for (index, bytes) in (0..).zip(&all) {
            blobs.put(item(job, index), bytes.clone()).await.unwrap();
        }
        let other = open(&folder);
        for (index, bytes) in (0..).zip(&all) {
            assert_eq!(other.get(item(job, index)).await.unwrap().as_ref(), Some(bytes));
        }
        assert_eq!(other.get(item(job, 3)).await.unwrap(), None);
    }

    #[tokio::test]
    async fn putting_again_replaces_whatever_the_sizes() {
        let (_folder, blobs) = fresh();
        let item = item(JobId::generate(), 7);
        for bytes in [Bytes::from("one"), large(), "two".into(), "three".into()] {
            blobs.put(item, bytes.clone()).await.unwrap();
            assert_eq!(blobs.get(item).await.unwrap(), Some(bytes));
        }
    }

    #[tokio::test]
    async fn only_the_named_items_go_and_a_job_goes_whole() {
        let (folder, blobs) = fresh();
        let (job, other) = (JobId::generate(), JobId::generate());
        for (job, index) in [(job, 0), (job, 1), (job, 2), (other, 0)] {
            let bytes = if index == 1 { large() } else { "x".into() };
            blobs.put(item(job, index), bytes).await.unwrap();
        }
        blobs.delete(&[item(job, 0), item(job, 1), item(job, 1), item(job, 9)]).await.unwrap();
        assert_eq!(blobs.get(item(job, 0)).await.unwrap(), None);
        assert_eq!(blobs.get(item(job, 1)).await.unwrap(), None);
        assert!(blobs.get(item(job, 2)).await.unwrap().is_some());
        blobs.put(item(job, 3), large()).await.unwrap();
        blobs.delete_job(job, 4).await.unwrap();
        for index in 0..4 {
            assert_eq!(blobs.get(item(job, index)).await.unwrap(), None);
        }
        assert!(blobs.get(item(other, 0)).await.unwrap().is_some());
        drop(folder);
    }

    #[tokio::test]
    async fn every_aged_job_is_met_once_in_a_round_and_no_young_one() {
        let (_folder, blobs) = fresh();
        let old: Vec<JobId> = (1..=5).map(|ms| JobId::earliest(Timestamp(ms))).collect();
        for job in &old {
            blobs.put(item(*job, 0), "x".into()).await.unwrap();
            blobs.put(item(*job, 1), "y".into()).await.unwrap();
        }
        blobs.put(item(JobId::generate(), 0), "x".into()).await.unwrap();
        let large_one = JobId::earliest(Timestamp(9));
        blobs.put(item(large_one, 0), large()).await.unwrap();
        let mut met = Vec::new();
        for _ in 0..3 {
            met.extend(blobs.aged_jobs(2).await.unwrap());
        }
        assert_eq!(met, [old.as_slice(), &[large_one]].concat());
        assert_eq!(blobs.aged_jobs(2).await.unwrap(), old[..2], "another round");
    }
}
