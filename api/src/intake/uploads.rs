//! The bytes that a request has stored so far.

use std::sync::Arc;

use aisle_shared::blob::{BlobError, BlobStore};
use aisle_shared::domain::{ItemRef, JobId};
use bytes::Bytes;
use tokio::task::{JoinError, JoinSet};

/// Bytes of a request that are being stored while its next image arrives, so
/// that the store has many small images to write in one go. A larger image is
/// stored alone.
const BYTES_AT_ONCE: usize = 1024 * 1024;

/// Stored bytes that have no job yet. Dropped before [`Uploads::keep`] — the
/// request was refused, or its caller went away — they are removed.
pub(crate) struct Uploads {
    blobs: Arc<dyn BlobStore>,
    job: JobId,
    stored: Vec<ItemRef>,
    /// Each answers how many bytes it has stored.
    putting: JoinSet<Result<usize, BlobError>>,
    bytes_putting: usize,
}

impl Uploads {
    /// No bytes yet, for a job to be.
    pub(crate) fn new(blobs: Arc<dyn BlobStore>, job: JobId) -> Self {
        Self { blobs, job, stored: Vec::new(), putting: JoinSet::new(), bytes_putting: 0 }
    }

    /// Begins to store the bytes of the item at `index`.
    ///
    /// # Errors
    /// When an earlier one could not be stored.
    pub(crate) async fn put(&mut self, index: u32, bytes: Bytes) -> Result<(), BlobError> {
        let size = bytes.len();
        while !self.putting.is_empty() && self.bytes_putting + size > BYTES_AT_ONCE {
            self.settle_one().await?;
        }
        let item = ItemRef { job: self.job, index };
        // Noted first: a put that is broken off may leave bytes.
        self.stored.push(item);
        let blobs = Arc::clone(&self.blobs);
        self.bytes_putting += size;
        self.putting.spawn(async move { blobs.put(item, bytes).await.map(|()| size) });
        Ok(())
    }

    /// Waits until all bytes are stored.
    ///
    /// # Errors
    /// When some could not be stored.
    pub(crate) async fn settle(&mut self) -> Result<(), BlobError> {
        while !self.putting.is_empty() {
            self.settle_one().await?;
        }
        Ok(())
    }

    async fn settle_one(&mut self) -> Result<(), BlobError> {
        let broken = |error: JoinError| BlobError::Unavailable(error.to_string());
        let Some(put) = self.putting.join_next().await else { return Ok(()) };
        self.bytes_putting -= put.map_err(broken)??;
        Ok(())
    }

    /// How many images have been stored.
    pub(crate) fn len(&self) -> usize {
        self.stored.len()
    }

    /// Leaves the bytes to the job.
    pub(crate) fn keep(mut self) {
        self.stored.clear();
    }
}

impl Drop for Uploads {
    fn drop(&mut self) {
        let stored = std::mem::take(&mut self.stored);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if stored.is_empty() {
            return;
        }
        let (blobs, job) = (Arc::clone(&self.blobs), self.job);
        let mut putting = std::mem::take(&mut self.putting);
        runtime.spawn(async move {
            // One that is stored after its removal would stay.
            while putting.join_next().await.is_some() {}
            if let Err(error) = blobs.delete(&stored).await {
                tracing::warn!(%job, %error, "bytes of a refused request stay until they are swept");
            }
        });
    }
}
