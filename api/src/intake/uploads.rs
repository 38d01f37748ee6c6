//! The bytes that a request has brought so far.

use std::sync::Arc;

use aisle_shared::blob::{BlobError, BlobStore};
use aisle_shared::domain::{ItemRef, JobId};
use aisle_shared::store::MAX_CONTENT_BYTES;
use bytes::Bytes;
use tokio::task::{JoinError, JoinSet};

/// Bytes of a request that are being stored while its next image arrives, so
/// that the store has many small images to write in one go. A larger image is
/// stored alone.
const BYTES_AT_ONCE: usize = 1024 * 1024;

/// The bytes of a job to be: held in memory while they are few enough to go
/// with the job, stored from the first on that is too much. Stored bytes that
/// have no job yet, because the request was refused or its caller went away,
/// are removed when this is dropped before [`Uploads::keep`].
pub(crate) struct Uploads {
    blobs: Arc<dyn BlobStore>,
    job: JobId,
    /// Items by their place, with their bytes.
    held: Vec<(u32, Bytes)>,
    bytes_held: usize,
    stored: Vec<ItemRef>,
    /// Each answers how many bytes it has stored.
    putting: JoinSet<Result<usize, BlobError>>,
    bytes_putting: usize,
}

impl Uploads {
    /// No bytes yet, for a job to be.
    pub(crate) fn new(blobs: Arc<dyn BlobStore>, job: JobId) -> Self {
        Self {
            blobs,
            job,
            held: Vec::new(),
            bytes_held: 0,
            stored: Vec::new(),
            putting: JoinSet::new(),
            bytes_putting: 0,
        }
    }

    /// Holds the bytes of the item at `index`, or begins to store them.
    ///
    /// # Errors
    /// When an earlier one could not be stored.
    pub(crate) async fn put(&mut self, index: u32, bytes: Bytes) -> Result<(), BlobError> {
        let size = bytes.len();
        if self.stored.is_empty()
            && self.bytes_held + size <= MAX_CONTENT_BYTES
            && self.blobs.goes_with_job(size)
        {
            self.bytes_held += size;
            self.held.push((index, bytes));
            return Ok(());
        }
        self.store_held().await?;
        self.store(index, bytes).await
    }

    /// Begins to store what is held.
    ///
    /// # Errors
    /// When an earlier one could not be stored.
    pub(crate) async fn store_held(&mut self) -> Result<(), BlobError> {
        for (index, bytes) in self.take_held() {
            self.store(index, bytes).await?;
        }
        Ok(())
    }

    /// What is held, for the job to bring along.
    pub(crate) fn take_held(&mut self) -> Vec<(u32, Bytes)> {
        self.bytes_held = 0;
        std::mem::take(&mut self.held)
    }

    async fn store(&mut self, index: u32, bytes: Bytes) -> Result<(), BlobError> {
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

    /// Waits until all bytes are stored that are not held.
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

    /// How many images there are.
    pub(crate) fn len(&self) -> usize {
        self.held.len() + self.stored.len()
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
