//! Answers kept for pictures that come again.

use std::fmt::Write as _;

use async_trait::async_trait;
use futures::future::join_all;

use super::keys::{Shard, Shards};
use super::server::{Server, millis};
use super::store::RedisStore;
use crate::store::cache::{check_entries, check_keys};
use crate::store::{Cache, CacheKey, CacheLimits, StoreError};

/// Answers that one sweep forgets at most in each shard.
const FORGOTTEN_PER_SWEEP: usize = 1_000;

#[async_trait]
impl Cache for RedisStore {
    async fn recall(&self, keys: &[CacheKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        check_keys(keys)?;
        let server = self.server();
        let parts = Shards::part_by(keys, |key| server.shards().of_answer(key));
        let asked = parts.iter().map(|(shard, places)| {
            let keys = places.iter().filter_map(|place| keys.get(*place));
            recall_from(server, *shard, keys)
        });
        let mut found = vec![None; keys.len()];
        let mut failure = None;
        let mut answered = false;
        for ((_, places), entries) in parts.iter().zip(join_all(asked).await) {
            match entries {
                Ok(entries) => {
                    answered = true;
                    for (place, entry) in places.iter().zip(entries) {
                        if let Some(found) = found.get_mut(*place) {
                            *found = entry;
                        }
                    }
                }
                // Its entries are missing, as any may be; the others count.
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) if !answered => Err(error),
            Some(_) | None => Ok(found),
        }
    }

    async fn remember(
        &self,
        entries: &[(CacheKey, Vec<u8>)],
        limits: CacheLimits,
    ) -> Result<(), StoreError> {
        check_entries(entries)?;
        let server = self.server();
        let parts = Shards::part_by(entries, |(key, _)| server.shards().of_answer(key));
        let kept = parts.iter().map(|(shard, places)| {
            let entries = places.iter().filter_map(|place| entries.get(*place));
            remember_in(server, *shard, entries, limits)
        });
        // What one shard does not take is lost, and the others keep theirs.
        join_all(kept).await.into_iter().collect()
    }
}

async fn recall_from(
    server: &Server,
    shard: Shard,
    keys: impl Iterator<Item = &CacheKey>,
) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
    let mut step = server.step(&server.scripts().recall, shard);
    for key in keys {
        step.arg(word(key));
    }
    server.run(&step).await
}

/// Each shard keeps its part of all that may be kept.
async fn remember_in(
    server: &Server,
    shard: Shard,
    entries: impl Iterator<Item = &(CacheKey, Vec<u8>)>,
    limits: CacheLimits,
) -> Result<(), StoreError> {
    let most = server.shards().part_of(limits.entries, shard);
    let mut step = server.step(&server.scripts().remember, shard);
    step.arg(millis(limits.ttl).max(1)).arg(most);
    for (key, entry) in entries {
        step.arg(word(key)).arg(entry);
    }
    let _: String = server.run(&step).await?;
    Ok(())
}

/// Forgets answers past their time, some of them, and more while memory is
/// tight; in each shard, even where another does not answer.
pub(super) async fn forget(server: &Server) -> Result<(), StoreError> {
    join_all(server.round().map(|shard| forget_in(server, shard))).await.into_iter().collect()
}

async fn forget_in(server: &Server, shard: Shard) -> Result<(), StoreError> {
    let mut step = server.step(&server.scripts().forget_answers, shard);
    step.arg(FORGOTTEN_PER_SWEEP);
    let _: String = server.run(&step).await?;
    Ok(())
}

/// A key as the scripts take it: hexadecimal, so that people can read it.
fn word(key: &CacheKey) -> String {
    key.as_bytes().iter().fold(String::with_capacity(64), |mut word, byte| {
        // Writing to a string cannot fail.
        let _ = write!(word, "{byte:02x}");
        word
    })
}
