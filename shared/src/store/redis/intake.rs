//! The verbs by which jobs come in.

use std::time::Duration;

use redis::Cmd;

use super::super::drain::Drain;
use super::super::{
    Cap, Enqueued, MAX_ITEMS_PER_CALL, MAX_ITEMS_PER_JOB, StoreError, StoreLimits, check_content,
};
use super::elsewhere::Load;
use super::records::{read, write_json, write_source};
use super::scripts::{Script, Step};
use super::server::{Server, millis};
use super::written::written;
use crate::blob::ORPHAN_AGE;
use crate::domain::{Idempotency, ItemRef, JobId, NewItem, NewJob, Timestamp};

/// How long a large job may stay unsealed.
const SEAL_WITHIN: Duration = Duration::from_secs(10 * 60);

/// What the scripts that admit a job answer: a word; when it was created, the
/// job that is repeated, or what is live; by how much that is too much, how
/// items left lately, and whether Redis puts off writing what it says.
type Admission = (String, String, u64, Vec<u64>, bool);

/// What the store may hold, and what it holds in other shards than the job's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caps<'a> {
    pub(super) limits: &'a StoreLimits,
    pub(super) elsewhere: &'a Load,
}

/// A job with its items. Returns once Redis has written them.
pub(super) async fn enqueue(
    server: &Server,
    caps: Caps<'_>,
    job: &NewJob,
    items: &[NewItem],
) -> Result<Enqueued, StoreError> {
    if items.is_empty() || items.len() > MAX_ITEMS_PER_CALL {
        return Err(StoreError::Invalid("a call takes 1 to 200 items"));
    }
    check_content(items)?;
    let mut step = admission(server, &server.scripts().enqueue, caps, job)?;
    step.arg(items.len());
    for item in items {
        step.arg(write_source(item));
    }
    let mut contents = Vec::new();
    for (index, item) in (0..).zip(items) {
        if let Some(content) = &item.content {
            step.arg(index);
            contents.push(set_content(server, ItemRef { job: job.id, index }, content));
        }
    }
    let answer: Admission = server.run_after(contents, &step).await?;
    let enqueued = read_admission(&answer, caps)?;
    let (.., put_off) = answer;
    if put_off {
        written(server, server.shard_of(&job.id)).await?;
    }
    Ok(enqueued)
}

/// Sets the bytes that come with a job, ahead of it: they expire unless the
/// job is written, and replace none that an item has.
fn set_content(server: &Server, item: ItemRef, content: &[u8]) -> Cmd {
    let mut set = Cmd::with_capacity(6, content.len() + 128);
    set.arg("SET").arg(server.shard_of(&item.job).blob(item)).arg(content);
    set.arg("PX").arg(millis(ORPHAN_AGE)).arg("NX");
    set
}

/// A large job without its items.
pub(super) async fn open(
    server: &Server,
    caps: Caps<'_>,
    job: &NewJob,
    total: u32,
) -> Result<Enqueued, StoreError> {
    if total == 0 || total > MAX_ITEMS_PER_JOB {
        return Err(StoreError::Invalid("a job has 1 to 10,000 items"));
    }
    let mut step = admission(server, &server.scripts().open, caps, job)?;
    step.arg(total).arg(millis(SEAL_WITHIN));
    read_admission(&server.run(&step).await?, caps)
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
    if items.iter().any(|item| item.content.is_some()) {
        return Err(StoreError::Invalid("the items of a large job bring no bytes"));
    }
    let mut step = server.step(&server.scripts().append, server.shard_of(job));
    step.arg(job.to_string()).arg(first);
    for item in items {
        step.arg(write_source(item));
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
    let mut step = server.step(&server.scripts().seal, server.shard_of(job));
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
    caps: Caps<'_>,
    job: &NewJob,
) -> Result<Step<'a>, StoreError> {
    let limits = caps.elsewhere.leaves(caps.limits);
    let mut step = server.step(script, server.shard_of(&job.id));
    step.arg(job.id.to_string())
        .arg(job.tenant.as_str())
        .arg(job.weight.max(1))
        .arg(job.model.as_str())
        .arg(job.priority.band())
        .arg(write_json(&job.options)?)
        .arg(write_json(&job.metadata)?)
        .arg(job.max_attempts.max(1))
        .arg(millis(job.retention))
        .arg(limits.items)
        .arg(limits.tenant_items)
        .arg(limits.upload_bytes)
        .arg(server.shards().count())
        .arg(job.callback.as_ref().map(write_json).transpose()?.unwrap_or_default())
        .arg(job.trace.as_ref().map_or("", |trace| trace.as_str()));
    match &job.idempotency {
        None => step.arg("").arg("").arg(0),
        Some(Idempotency { key, fingerprint, keep }) => {
            step.arg(key).arg(fingerprint).arg(millis(*keep))
        }
    };
    Ok(step)
}

fn read_admission(answer: &Admission, caps: Caps<'_>) -> Result<Enqueued, StoreError> {
    let (word, about, over, drained, _) = answer;
    match word.as_str() {
        "created" => Ok(Enqueued::Created { at: Timestamp(read("a time", about)?) }),
        "replayed" => Ok(Enqueued::Replayed),
        "repeated" => Ok(Enqueued::Repeated(read("a job id", about)?)),
        "key_reused" => Err(StoreError::KeyReused),
        "key_in_progress" => Err(StoreError::KeyInProgress),
        "no_bytes" => Err(StoreError::unavailable("Redis has not kept the bytes of an upload")),
        word => Err(refusal(word, read("a number of items", about)?, *over, drained, caps)),
    }
}

/// Why nothing is taken in, by the word that the scripts have for it.
pub(super) fn refusal(
    word: &str,
    here: u64,
    over: u64,
    drained: &[u64],
    caps: Caps<'_>,
) -> StoreError {
    let Caps { limits, elsewhere } = caps;
    let (cap, limit, there) = match word {
        "closed" => return StoreError::Closed,
        "parted" => return parted(here),
        "full" => (Cap::Items, limits.items, elsewhere.items),
        "tenant_full" => (Cap::TenantItems, limits.tenant_items, elsewhere.tenant_items),
        "bytes_full" => (Cap::UploadBytes, limits.upload_bytes, elsewhere.bytes),
        word => return unknown_word(word),
    };
    let (now, slots) = drained.split_first().map_or((0, drained), |(now, slots)| (*now, slots));
    let slots = slots.as_chunks().0.iter().chain(elsewhere.drained.as_chunks().0);
    let retry_after = Drain::of(slots.map(|[slot, items]| (*slot, *items)), now).time_for(over);
    StoreError::Full { cap, live: here + there, limit, retry_after }
}

/// The store was given another number of shards since this process began. Other
/// processes may know it, so a caller is to ask again.
pub(super) fn parted(shards: u64) -> StoreError {
    StoreError::unavailable(format!(
        "the store has {shards} shards now, which is not this process' redis_shards: start it anew"
    ))
}

/// A script answered what this release does not know.
pub(super) fn unknown_word(word: &str) -> StoreError {
    StoreError::Corrupt(format!("a script answered {word:?}"))
}
