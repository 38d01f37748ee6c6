//! Blobs in Redis, beside the jobs. One that no job names expires by itself;
//! enqueueing its item makes it stay, in the same step as the job. Those of a
//! small job are sent along with it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::cmd;

use super::{BlobError, BlobStore, ORPHAN_AGE};
use crate::domain::{ItemRef, JobId};
use crate::store::RedisServer;

/// How long reading and removing may take: longer than a verb of the store,
/// because an image is larger than a job.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How long storing may take, whatever the size: a caller waits for it, and is
/// to be told soon when Redis does not answer.
const STORED_WITHIN: Duration = Duration::from_secs(2);

/// Bytes that storing is given a further second for.
const BYTES_PER_SECOND: usize = 2 * 1024 * 1024;

/// Keys that one call removes.
const KEYS_PER_CALL: usize = 500;

/// Blobs as Redis strings, in their job's hash slot. Made by
/// [`RedisStore::blobs`](crate::store::RedisStore::blobs).
pub struct RedisBlobs {
    server: Arc<RedisServer>,
}

impl fmt::Debug for RedisBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBlobs").finish_non_exhaustive()
    }
}

impl RedisBlobs {
    /// Blobs on the store's own server.
    pub(crate) const fn new(server: Arc<RedisServer>) -> Self {
        Self { server }
    }
}

#[async_trait]
impl BlobStore for RedisBlobs {
    async fn admits(&self) -> Result<(), BlobError> {
        // The store on the same server looks at its memory.
        Ok(())
    }

    fn goes_with_job(&self, _bytes: usize) -> bool {
        // In its job's slot, so both go to the server at once.
        true
    }

    async fn put(&self, item: ItemRef, bytes: Bytes) -> Result<(), BlobError> {
        let mut put = cmd("SET");
        put.arg(self.server.shard_of(&item.job).blob(item)).arg(bytes.as_ref());
        put.arg("PX").arg(u64::try_from(ORPHAN_AGE.as_millis()).unwrap_or(u64::MAX));
        let _: String = self.server.command_within(&put, patience(bytes.len())).await?;
        Ok(())
    }

    async fn get(&self, item: ItemRef) -> Result<Option<Bytes>, BlobError> {
        let mut get = cmd("GET");
        get.arg(self.server.shard_of(&item.job).blob(item));
        Ok(self.server.command_within(&get, ANSWER_WITHIN).await?)
    }

    async fn delete(&self, items: &[ItemRef]) -> Result<(), BlobError> {
        for (shard, places) in self.server.shards().part(items, |item| item.job) {
            for chunk in places.chunks(KEYS_PER_CALL) {
                let mut unlink = cmd("UNLINK");
                for item in chunk.iter().filter_map(|place| items.get(*place)) {
                    unlink.arg(shard.blob(*item));
                }
                let _: u64 = self.server.command_within(&unlink, ANSWER_WITHIN).await?;
            }
        }
        Ok(())
    }

    async fn delete_job(&self, job: JobId, items: u32) -> Result<(), BlobError> {
        let items: Vec<ItemRef> = (0..items).map(|index| ItemRef { job, index }).collect();
        self.delete(&items).await
    }

    async fn aged_jobs(&self, _limit: usize) -> Result<Vec<JobId>, BlobError> {
        Ok(Vec::new())
    }
}

/// How long storing so many bytes may take.
fn patience(bytes: usize) -> Duration {
    STORED_WITHIN + Duration::from_secs((bytes / BYTES_PER_SECOND) as u64)
}
