//! The verbs of workers that announce themselves, and of operators.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use futures::future::try_join_all;

use super::super::{DeadLetter, LaneStats, Stats, StoreError, WebhookStats};
use super::intake::parted;
use super::keys::Shard;
use super::records::{read, read_band, read_json, write_json};
use super::server::{Server, millis};
use crate::domain::{
    AnnouncedModel, ErrorCode, ItemError, ItemOutcome, JobId, ModelName, Priority, Timestamp,
    WorkerCard, WorkerId,
};

/// Dead letters that one call reads at most.
const LETTERS: usize = 1_000;

/// Jobs that one call asks for.
const JOBS_PER_CALL: usize = 500;

/// What the counting script answers: a row for each lane, then items delayed,
/// running and live, dead letters, deliveries pending and due, and answers kept.
type StatsRows =
    (Vec<(String, String, u64, Option<u64>)>, u64, u64, u64, u64, u64, Option<u64>, u64);

/// A worker's models, for a while.
pub(super) async fn announce(
    server: &Server,
    worker: &WorkerCard,
    ttl: Duration,
) -> Result<(), StoreError> {
    let mut step = server.step(&server.scripts().announce, Shard::HOME);
    step.arg(worker.id.as_str()).arg(millis(ttl));
    for card in &worker.models {
        step.arg(card.name.as_str()).arg(write_json(card)?);
    }
    let _: String = server.run(&step).await?;
    Ok(())
}

/// A worker's end.
pub(super) async fn retire(server: &Server, worker: &WorkerId) -> Result<(), StoreError> {
    let mut step = server.step(&server.scripts().retire, Shard::HOME);
    step.arg(worker.as_str());
    let _: String = server.run(&step).await?;
    Ok(())
}

/// A model that a worker has lost.
pub(super) async fn withdraw(
    server: &Server,
    worker: &WorkerId,
    model: &ModelName,
) -> Result<(), StoreError> {
    let mut step = server.step(&server.scripts().withdraw, Shard::HOME);
    step.arg(worker.as_str()).arg(model.as_str());
    let _: String = server.run(&step).await?;
    Ok(())
}

/// Models announced of late, by name.
pub(super) async fn models(server: &Server) -> Result<Vec<AnnouncedModel>, StoreError> {
    let step = server.step(&server.scripts().models, Shard::HOME);
    let rows: Vec<(String, u32)> = server.run(&step).await?;
    let mut models = rows
        .iter()
        .map(|(card, live_workers)| {
            Ok(AnnouncedModel { card: read_json(card)?, live_workers: *live_workers })
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    models.sort_by(|a, b| a.card.name.cmp(&b.card.name));
    Ok(models)
}

/// What is where, in all shards together.
pub(super) async fn stats(server: &Server) -> Result<Stats, StoreError> {
    let shards = server.shards().all();
    let counted = try_join_all(shards.map(|shard| stats_of(server, shard))).await?;
    let mut all = Stats::default();
    let mut lanes: BTreeMap<(ModelName, Priority), LaneStats> = BTreeMap::new();
    for mut stats in counted {
        for lane in stats.lanes.drain(..) {
            match lanes.entry((lane.model.clone(), lane.priority)) {
                Entry::Vacant(vacant) => drop(vacant.insert(lane)),
                Entry::Occupied(mut known) => {
                    let known = known.get_mut();
                    known.ready += lane.ready;
                    known.oldest = known.oldest.into_iter().chain(lane.oldest).min();
                }
            }
        }
        all.delayed += stats.delayed;
        all.running += stats.running;
        all.live += stats.live;
        all.dead += stats.dead;
        all.cached += stats.cached;
        all.webhooks.pending += stats.webhooks.pending;
        all.webhooks.due = all.webhooks.due.into_iter().chain(stats.webhooks.due).min();
    }
    all.lanes = lanes.into_values().collect();
    Ok(all)
}

async fn stats_of(server: &Server, shard: Shard) -> Result<Stats, StoreError> {
    let step = server.step(&server.scripts().stats, shard);
    let (rows, delayed, running, live, dead, pending, due, cached): StatsRows =
        server.run(&step).await?;
    let lanes = rows
        .iter()
        .map(|(model, band, ready, oldest)| {
            Ok(LaneStats {
                model: read("a model", model)?,
                priority: read_band(band)?,
                ready: *ready,
                oldest: oldest.map(Timestamp),
            })
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    let webhooks = WebhookStats { pending, due: due.map(Timestamp) };
    Ok(Stats { lanes, delayed, running, live, dead, webhooks, cached })
}

/// The newest dead letters.
pub(super) async fn dead_letters(
    server: &Server,
    limit: usize,
) -> Result<Vec<DeadLetter>, StoreError> {
    let limit = limit.min(LETTERS);
    let shards = server.shards().all();
    let read = try_join_all(shards.map(|shard| dead_letters_of(server, shard, limit))).await?;
    let mut letters: Vec<DeadLetter> = read.into_iter().flatten().collect();
    letters.sort_by_key(|letter| Reverse((letter.at, letter.item)));
    letters.truncate(limit);
    Ok(letters)
}

async fn dead_letters_of(
    server: &Server,
    shard: Shard,
    limit: usize,
) -> Result<Vec<DeadLetter>, StoreError> {
    let mut step = server.step(&server.scripts().dead_letters, shard);
    step.arg(limit);
    let rows: Vec<(String, String, String, u64)> = server.run(&step).await?;
    rows.iter()
        .map(|(item, tenant, outcome, at)| {
            Ok(DeadLetter {
                item: read("an item", item)?,
                tenant: read("a tenant", tenant)?,
                error: read_error(outcome)?,
                at: Timestamp(*at),
            })
        })
        .collect()
}

fn read_error(outcome: &str) -> Result<ItemError, StoreError> {
    match read_json(outcome)? {
        ItemOutcome::Failed(error) => Ok(error),
        ItemOutcome::Succeeded(_) | ItemOutcome::Canceled => {
            Ok(ItemError::new(ErrorCode::Internal, "a dead letter that did not fail"))
        }
    }
}

/// Which of these jobs there are, in the order given.
pub(super) async fn existing(server: &Server, ids: &[JobId]) -> Result<Vec<JobId>, StoreError> {
    let mut found = Vec::new();
    for (shard, places) in server.shards().part(ids, |id| *id) {
        for chunk in places.chunks(JOBS_PER_CALL) {
            let mut step = server.step(&server.scripts().existing, shard);
            for id in chunk.iter().filter_map(|place| ids.get(*place)) {
                step.arg(id.to_string());
            }
            let answers: Vec<bool> = server.run(&step).await?;
            found.extend(chunk.iter().zip(answers).filter_map(|(at, there)| there.then_some(*at)));
        }
    }
    found.sort_unstable();
    Ok(found.into_iter().filter_map(|place| ids.get(place).copied()).collect())
}

/// A write and a read in each shard.
pub(super) async fn check(server: &Server) -> Result<(), StoreError> {
    try_join_all(server.shards().all().map(|shard| check_one(server, shard))).await?;
    Ok(())
}

async fn check_one(server: &Server, shard: Shard) -> Result<(), StoreError> {
    let word = format!("{:016x}", rand::random::<u64>());
    let mut step = server.step(&server.scripts().check, shard);
    step.arg(&word);
    let (read, shards): (String, u64) = server.run(&step).await?;
    // An emptied server says nothing.
    if shards != 0 && shards != u64::from(server.shards().count()) {
        return Err(parted(shards));
    }
    if read == word {
        Ok(())
    } else {
        Err(StoreError::Corrupt("Redis does not return what was written".to_owned()))
    }
}
