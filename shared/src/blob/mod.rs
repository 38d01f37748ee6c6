//! Uploaded bytes, from the upload until their item has ended. A blob's name
//! is its item's reference, so nothing is shared and deleting is simple.
//!
//! The order is always blob first, then job, or both in one step of the store:
//! a blob without a job is garbage that is swept, a job without its blobs would
//! be a lost upload.

mod aged;
mod files;
mod redis;
mod sqlite;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::domain::{ItemRef, JobId};
use crate::store::StoreError;

pub use files::FileBlobs;
pub use redis::RedisBlobs;
pub use sqlite::SqliteBlobs;

/// How long an upload may wait for its job before it is garbage.
pub const ORPHAN_AGE: Duration = Duration::from_secs(15 * 60);

/// Why a blob was not stored, read or removed; each with words for the log.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The blob store did not do it.
    #[error("the blob store is unavailable: {0}")]
    Unavailable(String),
    /// There is no room for more.
    #[error("the blob store is full: {0}")]
    Full(String),
}

/// Where uploaded bytes are kept.
#[async_trait]
pub trait BlobStore: Send + Sync + 'static {
    /// Whether there is room for more than what is here. Costs no round trip.
    ///
    /// # Errors
    /// [`BlobError::Full`] where there is none.
    async fn admits(&self) -> Result<(), BlobError>;

    /// Whether an upload of so many bytes is the store of jobs' own. It may go
    /// with its job, as [`NewItem::content`](crate::domain::NewItem::content):
    /// the store keeps it in the step that writes the job, and it is found
    /// here. However it came, the step that ends its item removes it, but for
    /// that of a dead letter.
    fn goes_with_job(&self, bytes: usize) -> bool;

    /// Stores an item's bytes. They outlast all that a job outlasts which is written
    /// after this returns.
    ///
    /// # Errors
    /// When the bytes could not be stored.
    async fn put(&self, item: ItemRef, bytes: Bytes) -> Result<(), BlobError>;

    /// An item's bytes; `None` when there are none.
    ///
    /// # Errors
    /// When the store did not answer.
    async fn get(&self, item: ItemRef) -> Result<Option<Bytes>, BlobError>;

    /// Removes the bytes of items; those that have none are skipped.
    ///
    /// # Errors
    /// When the store did not answer.
    async fn delete(&self, items: &[ItemRef]) -> Result<(), BlobError>;

    /// Removes all bytes of a job with that many items.
    ///
    /// # Errors
    /// When the store did not answer.
    async fn delete_job(&self, job: JobId, items: u32) -> Result<(), BlobError>;

    /// Jobs that have had bytes here for longer than [`ORPHAN_AGE`], at most
    /// `limit` of them: the caller knows which of them still exist. Empty
    /// where orphans expire by themselves.
    ///
    /// # Errors
    /// When the store did not answer.
    async fn aged_jobs(&self, limit: usize) -> Result<Vec<JobId>, BlobError>;
}

impl From<StoreError> for BlobError {
    fn from(error: StoreError) -> Self {
        let detail = error.to_string();
        if matches!(error, StoreError::Exhausted { .. }) {
            Self::Full(detail)
        } else {
            Self::Unavailable(detail)
        }
    }
}
