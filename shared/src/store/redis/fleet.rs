//! The verbs of workers that announce themselves, and of operators.

use std::time::Duration;

use super::super::{DeadLetter, LaneStats, Stats, StoreError, WebhookStats};
use super::keys::Shard;
use super::records::{read, read_band, read_json, write_json};
use super::server::{Server, millis};
use crate::domain::{
    AnnouncedModel, ErrorCode, ItemError, ItemOutcome, JobId, Timestamp, WorkerCard, WorkerId,
};

/// Dead letters that one call reads at most.
const LETTERS: usize = 1_000;

/// Jobs that one call asks for.
const JOBS_PER_CALL: usize = 500;

/// What the counting script answers: a row for each lane, then items delayed,
/// running and live, dead letters, deliveries pending and due.
type StatsRows = (Vec<(String, String, u64, Option<u64>)>, u64, u64, u64, u64, u64, Option<u64>);

/// A worker's models, for a while.
pub(super) async fn announce(
    server: &Server,
    worker: &WorkerCard,
    ttl: Duration,
) -> Result<(), StoreError> {
    let mut step = server.step(&server.scripts().announce, Shard::ONLY);
    step.arg(worker.id.as_str()).arg(millis(ttl));
    for card in &worker.models {
        step.arg(card.name.as_str()).arg(write_json(card)?);
    }
    let _: String = server.run(&step).await?;
    Ok(())
}

/// A worker's end.
pub(super) async fn retire(server: &Server, worker: &WorkerId) -> Result<(), StoreError> {
    let mut step = server.step(&server.scripts().retire, Shard::ONLY);
    step.arg(worker.as_str());
    let _: String = server.run(&step).await?;
    Ok(())
}

/// Models announced of late, by name.
pub(super) async fn models(server: &Server) -> Result<Vec<AnnouncedModel>, StoreError> {
    let step = server.step(&server.scripts().models, Shard::ONLY);
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

/// What is where.
pub(super) async fn stats(server: &Server) -> Result<Stats, StoreError> {
    let step = server.step(&server.scripts().stats, Shard::ONLY);
    let (rows, delayed, running, live, dead, pending, due): StatsRows = server.run(&step).await?;
    let mut lanes = rows
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
    lanes.sort_by(|a, b| (&a.model, a.priority).cmp(&(&b.model, b.priority)));
    let webhooks = WebhookStats { pending, due: due.map(Timestamp) };
    Ok(Stats { lanes, delayed, running, live, dead, webhooks })
}

/// The newest dead letters.
pub(super) async fn dead_letters(
    server: &Server,
    limit: usize,
) -> Result<Vec<DeadLetter>, StoreError> {
    let mut step = server.step(&server.scripts().dead_letters, Shard::ONLY);
    step.arg(limit.min(LETTERS));
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

/// Which of these jobs there are.
pub(super) async fn existing(server: &Server, ids: &[JobId]) -> Result<Vec<JobId>, StoreError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(JOBS_PER_CALL) {
        let mut step = server.step(&server.scripts().existing, Shard::ONLY);
        for id in chunk {
            step.arg(id.to_string());
        }
        let answers: Vec<bool> = server.run(&step).await?;
        found.extend(chunk.iter().zip(answers).filter_map(|(id, there)| there.then_some(*id)));
    }
    Ok(found)
}

/// A write and a read.
pub(super) async fn check(server: &Server) -> Result<(), StoreError> {
    let word = format!("{:016x}", rand::random::<u64>());
    let mut step = server.step(&server.scripts().check, Shard::ONLY);
    step.arg(&word);
    let read: String = server.run(&step).await?;
    if read == word {
        Ok(())
    } else {
        Err(StoreError::Corrupt("Redis does not return what was written".to_owned()))
    }
}
