//! The bytes that a request has stored so far.

use std::sync::Arc;

use aisle_shared::blob::{BlobError, BlobStore};
use aisle_shared::domain::{ItemRef, JobId};
use bytes::Bytes;

/// Stored bytes that have no job yet. Dropped before [`Uploads::keep`] — the
/// request was refused, or its caller went away — they are removed.
pub(crate) struct Uploads {
    blobs: Arc<dyn BlobStore>,
    job: JobId,
    stored: Vec<ItemRef>,
}

impl Uploads {
    /// No bytes yet, for a job to be.
    pub(crate) fn new(blobs: Arc<dyn BlobStore>, job: JobId) -> Self {
        Self { blobs, job, stored: Vec::new() }
    }

    /// Stores the bytes of the item at `index`.
    pub(crate) async fn put(&mut self, index: u32, bytes: Bytes) -> Result<(), BlobError> {
        let item = ItemRef { job: self.job, index };
        // Noted first: a put that was broken off may have left bytes.
        self.stored.push(item);
        self.blobs.put(item, bytes).await
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
        runtime.spawn(async move {
            if let Err(error) = blobs.delete(&stored).await {
                tracing::warn!(%job, %error, "bytes of a refused request stay until they are swept");
            }
        });
    }
}
