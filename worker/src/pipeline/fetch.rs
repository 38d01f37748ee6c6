//! The stage that brings an item's bytes: from the blob store or from a URL.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aisle_shared::blob::BlobStore;
use aisle_shared::domain::{ErrorCode, ItemError, ItemSource};
use aisle_shared::fetch::{Fetcher, Target};
use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::ending::{Ended, Ending};
use super::hosts::{Downloads, Resting};
use super::work::Work;
use crate::stage::milliseconds;

/// Brings bytes; shared by all models.
#[derive(Clone)]
pub(super) struct Fetch {
    pub(super) blobs: Arc<dyn BlobStore>,
    pub(super) fetcher: Arc<Fetcher>,
    /// Items that may wait for their downloads.
    pub(super) remote: Arc<Semaphore>,
    pub(super) downloads: Arc<Downloads>,
    pub(super) shutdown: CancellationToken,
}

/// An item with its bytes.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) work: Work,
    pub(super) bytes: Bytes,
    pub(super) fetch_ms: f32,
}

/// Why there are no bytes.
enum Failure {
    Permanent(ItemError),
    Passing(ItemError),
    /// Its host rests, for so long.
    Resting(Duration),
    /// The item is no longer wanted here.
    Left,
    /// The worker stops before the download began to matter.
    Stopping,
}

impl Fetch {
    /// Brings an item's bytes. `slots` are those that items in work share.
    pub(super) async fn run(
        &self,
        work: Work,
        slots: &Arc<Semaphore>,
    ) -> Result<Fetched, Box<Ended>> {
        let mut work = work.still_wanted()?;
        let start = Instant::now();
        let bytes = match work.source.clone() {
            ItemSource::Upload => self.upload(&mut work).await,
            ItemSource::Url(text) => self.url(&text, &mut work, slots).await,
        };
        match bytes {
            Ok(bytes) => Ok(Fetched { work, bytes, fetch_ms: milliseconds(start) }),
            Err(Failure::Permanent(error)) => Err(Ended::failed(work, error)),
            Err(Failure::Passing(error)) => Err(Ended::retry(work, error)),
            Err(Failure::Resting(left)) => {
                let detail = "the URL's host does not answer, and is left alone for a while";
                let error = ItemError::new(ErrorCode::UrlUnreachable, detail);
                Err(Ended::retry_after(work, left, error))
            }
            Err(Failure::Stopping) => Err(Ended::new(work, Ending::Release)),
            Err(Failure::Left) => match work.still_wanted() {
                Ok(work) => Err(Ended::new(work, Ending::Release)),
                Err(ended) => Err(ended),
            },
        }
    }

    async fn upload(&self, work: &mut Work) -> Result<Bytes, Failure> {
        if let Some(content) = work.content.take() {
            return Ok(content);
        }
        let bytes = tokio::select! {
            bytes = self.blobs.get(work.item()) => bytes,
            () = work.hold.left() => return Err(Failure::Left),
        };
        match bytes {
            Ok(Some(bytes)) => {
                work.leaves_bytes = !self.blobs.goes_with_job(bytes.len());
                Ok(bytes)
            }
            Ok(None) => {
                let detail = "the uploaded image is gone";
                Err(Failure::Permanent(ItemError::new(ErrorCode::BlobMissing, detail)))
            }
            Err(error) => {
                tracing::warn!(%error, "an upload cannot be read");
                let detail = "the uploaded image could not be read";
                Err(Failure::Passing(ItemError::new(ErrorCode::Internal, detail)))
            }
        }
    }

    /// Downloads without a slot, so that slow hosts do not keep the network
    /// from other items; the slot is taken again before the bytes go on.
    async fn url(
        &self,
        text: &str,
        work: &mut Work,
        slots: &Arc<Semaphore>,
    ) -> Result<Bytes, Failure> {
        let target = Target::parse(text, self.fetcher.policy()).map_err(|error| {
            Failure::Permanent(ItemError::new(ErrorCode::UrlNotAllowed, error.to_string()))
        })?;
        let expected = work.coming.take();
        let Work { hold, slot, .. } = &mut *work;
        let download = async {
            let remote = Arc::clone(&self.remote).acquire_owned().await;
            *slot = None;
            let running = self.downloads.begin(target.url().authority()).await?;
            let fetched = self.fetcher.fetch(&target).await;
            // Others may hold a slot while they wait for these two: to keep
            // them while waiting for a slot would stop both sides for good.
            match &fetched {
                Err(failed) if failed.transient => running.failed(),
                Ok(_) | Err(_) => running.answered(),
            }
            drop(remote);
            // Nothing closes the semaphores, so there always is a slot.
            *slot = Arc::clone(slots).acquire_owned().await.ok();
            Ok(fetched)
        };
        let fetched: Result<_, Resting> = tokio::select! {
            fetched = download => fetched,
            () = hold.left() => return Err(Failure::Left),
            () = self.shutdown.cancelled() => return Err(Failure::Stopping),
        };
        work.coming = expected;
        match fetched.map_err(|resting| Failure::Resting(resting.left))? {
            Ok(fetched) => Ok(fetched.body),
            Err(failed) if failed.transient => Err(Failure::Passing(failed.error)),
            Err(failed) => Err(Failure::Permanent(failed.error)),
        }
    }
}
