//! Into how many shards a store is parted. Where a job lies follows from that
//! number, so it is written down in each shard, and only a shard without jobs
//! takes another.

use redis::cmd;

use super::super::StoreError;
use super::intake::unknown_word;
use super::keys::{Shard, Shards};
use super::server::Server;

/// The layout of the keys. Grows when a release can no longer read the keys
/// of the one before.
const LAYOUT: u32 = 1;

/// Tenants that one call names.
const TENANTS_PER_CALL: usize = 500;

/// What the adopting script answers: a word, and what it found.
type Adopted = (String, String);

/// Marks an empty store with its layout and its number of shards, and refuses
/// one with jobs that lie otherwise.
///
/// # Errors
/// [`StoreError::Config`] for another layout, or another number of shards and
/// jobs in any of them.
pub(super) async fn adopt(server: &Server) -> Result<(), StoreError> {
    let wanted = server.shards().count();
    let before = written(server, Shard::HOME).await?.unwrap_or(wanted);
    let changes = before != wanted;
    // The home comes last: until all others are adopted, it tells how many
    // shards may hold jobs.
    let mut adopted = Vec::new();
    for shard in Shards::up_to(wanted.max(before)).rev() {
        let refused = match adopt_one(server, shard, changes).await {
            Ok(None) => {
                adopted.push(shard);
                continue;
            }
            Ok(Some(refused)) => refused,
            Err(error) => error,
        };
        if changes {
            // Whoever runs with the number of before is to go on.
            for shard in adopted {
                let _: Adopted = server.run(&adoption(server, shard, before)).await?;
            }
        }
        return Err(refused);
    }
    if changes {
        tracing::info!(before, now = wanted, "the empty store has another number of shards");
    }
    Ok(())
}

/// Adopts a shard; answers why not.
async fn adopt_one(
    server: &Server,
    shard: Shard,
    changes: bool,
) -> Result<Option<StoreError>, StoreError> {
    let wanted = server.shards();
    if written(server, shard).await? != Some(wanted.count()) {
        if changes && !seek(server, shard, &shard.callers_keys()).await?.is_empty() {
            return Ok(Some(StoreError::Config(format!(
                "callers' Idempotency-Keys are still remembered by the number of shards that this \
                 store had, and redis_shards is now {}: set it back until they have expired",
                wanted.count()
            ))));
        }
        if wanted.abroad().any(|abroad| abroad == shard) {
            expect_news(server, shard).await?;
        }
    }
    let (word, found): Adopted = server.run(&adoption(server, shard, wanted.count())).await?;
    Ok(match word.as_str() {
        "adopted" => None,
        "layout" => Some(StoreError::Config(format!(
            "the jobs in this Redis have key layout {found}, and this release reads {LAYOUT}: \
             use the release that wrote them, or another database"
        ))),
        "holds_jobs" => Some(StoreError::Config(format!(
            "the jobs in this Redis lie in {found} shards, and redis_shards is {}: set it to \
             {found}, or wait until all jobs have ended and expired, or delete them",
            wanted.count()
        ))),
        word => return Err(unknown_word(word)),
    })
}

fn adoption(server: &Server, shard: Shard, shards: u16) -> super::scripts::Step<'_> {
    let mut step = server.step(&server.scripts().adopt, shard);
    step.arg(LAYOUT).arg(shards).arg(u8::from(shard == Shard::HOME));
    step
}

/// How many shards there are by what is written in one.
async fn written(server: &Server, shard: Shard) -> Result<Option<u16>, StoreError> {
    let mut ask = cmd("HMGET");
    ask.arg(shard.meta()).arg("shards").arg("layout");
    let (shards, layout): (Option<u16>, Option<u32>) = server.command(&ask).await?;
    // Earlier releases had one shard and did not write it down.
    let only = (shard == Shard::HOME && layout.is_some()).then_some(1);
    Ok(shards.or(only))
}

/// Has a new shard tell the home of the jobs of tenants with endpoints.
async fn expect_news(server: &Server, shard: Shard) -> Result<(), StoreError> {
    let prefix = Shard::HOME.endpoints_wants();
    let keys = seek(server, Shard::HOME, &format!("{prefix}*")).await?;
    let tenants: Vec<&str> = keys.iter().filter_map(|key| key.strip_prefix(&prefix)).collect();
    for some in tenants.chunks(TENANTS_PER_CALL) {
        let mut step = server.step(&server.scripts().expect_news, shard);
        step.arg(some);
        let _: String = server.run(&step).await?;
    }
    Ok(())
}

/// The keys of a shard that match a pattern. Reads all keys of its server, so
/// it is for a start only.
async fn seek(server: &Server, shard: Shard, pattern: &str) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    let mut cursor = "0".to_owned();
    loop {
        let mut step = server.step(&server.scripts().seek, shard);
        step.arg(&cursor).arg(pattern);
        let (next, mut keys): (String, Vec<String>) = server.run(&step).await?;
        found.append(&mut keys);
        if next == "0" {
            return Ok(found);
        }
        cursor = next;
    }
}
