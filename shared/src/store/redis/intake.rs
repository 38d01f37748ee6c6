//! The verbs by which jobs come in.

use std::time::Duration;

use redis::{Script, ScriptInvocation};

use super::super::{Enqueued, MAX_ITEMS_PER_CALL, MAX_ITEMS_PER_JOB, StoreError};
use super::keys::Shard;
use super::records::{write_json, write_source};
use super::server::{Server, millis};
use crate::domain::{JobId, NewItem, NewJob};

/// How long a large job may stay unsealed.
const SEAL_WITHIN: Duration = Duration::from_secs(10 * 60);

/// What the scripts that admit a job answer: a word, and the number of live
/// items where the store is full.
type Admission = (String, u64);

/// A job with its items.
pub(super) async fn enqueue(
    server: &Server,
    limit: u64,
    job: &NewJob,
    items: &[NewItem],
) -> Result<Enqueued, StoreError> {
    if items.is_empty() || items.len() > MAX_ITEMS_PER_CALL {
        return Err(StoreError::Invalid("a call takes 1 to 200 items"));
    }
    let mut step = admission(server, &server.scripts().enqueue, limit, job)?;
    for item in items {
        step.arg(write_source(&item.source));
    }
    read_admission(&server.run(&step).await?, limit)
}

/// A large job without its items.
pub(super) async fn open(
    server: &Server,
    limit: u64,
    job: &NewJob,
    total: u32,
) -> Result<Enqueued, StoreError> {
    if total == 0 || total > MAX_ITEMS_PER_JOB {
        return Err(StoreError::Invalid("a job has 1 to 10,000 items"));
    }
    let mut step = admission(server, &server.scripts().open, limit, job)?;
    step.arg(total).arg(millis(SEAL_WITHIN));
    read_admission(&server.run(&step).await?, limit)
}

/// Items of a large job.
pub(super) async fn append(
    server: &Server,
    job: &JobId,
    first: u32,
    items: &[NewItem],
) -> Result<(), StoreError> {
    if items.len() > MAX_ITEMS_PER_CALL {
        return Err(StoreError::Invalid("a call takes at most 200 items"));
    }
    let mut step = server.step(&server.scripts().append, Shard::of(job));
    step.arg(job.to_string()).arg(first);
    for item in items {
        step.arg(write_source(&item.source));
    }
    match server.run::<String>(&step).await?.as_str() {
        "appended" => Ok(()),
        "not_open" => Err(StoreError::NotFound),
        "past_total" => Err(StoreError::Invalid("items lie past the job's total")),
        word => Err(unknown_word(word)),
    }
}

/// The end of a large job's filling.
pub(super) async fn seal(server: &Server, job: &JobId) -> Result<(), StoreError> {
    let mut step = server.step(&server.scripts().seal, Shard::of(job));
    step.arg(job.to_string());
    match server.run::<String>(&step).await?.as_str() {
        "sealed" => Ok(()),
        "unknown" => Err(StoreError::NotFound),
        "incomplete" => Err(StoreError::Invalid("items of the job are missing")),
        word => Err(unknown_word(word)),
    }
}

/// What `enqueue` and `open` both say of a job.
fn admission<'a>(
    server: &'a Server,
    script: &'a Script,
    limit: u64,
    job: &NewJob,
) -> Result<ScriptInvocation<'a>, StoreError> {
    let mut step = server.step(script, Shard::of(&job.id));
    step.arg(job.id.to_string())
        .arg(job.tenant.as_str())
        .arg(job.weight.max(1))
        .arg(job.model.as_str())
        .arg(job.priority.band())
        .arg(write_json(&job.options)?)
        .arg(write_json(&job.metadata)?)
        .arg(job.max_attempts.max(1))
        .arg(millis(job.retention))
        .arg(limit)
        .arg(job.callback.as_ref().map(write_json).transpose()?.unwrap_or_default())
        .arg(job.trace.as_ref().map_or("", |trace| trace.as_str()));
    Ok(step)
}

fn read_admission((word, live): &Admission, limit: u64) -> Result<Enqueued, StoreError> {
    match word.as_str() {
        "created" => Ok(Enqueued::Created),
        "replayed" => Ok(Enqueued::Replayed),
        "full" => Err(StoreError::Full { live: *live, limit }),
        word => Err(unknown_word(word)),
    }
}

/// A script answered what this release does not know.
pub(super) fn unknown_word(word: &str) -> StoreError {
    StoreError::Corrupt(format!("a script answered {word:?}"))
}
