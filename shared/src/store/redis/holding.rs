//! The verbs of workers: claim items, hold them, end them.

use std::time::Duration;

use super::super::{
    ClaimRequest, Claimed, Extended, LONGEST_LEASE, Lease, LeaseToken, MAX_OUTCOME_BYTES, Recorded,
    Retried, StoreError,
};
use super::intake::unknown_word;
use super::keys::Shard;
use super::records::{canceled, counter, read, read_ending, read_json, read_source, write_json};
use super::server::{Server, millis};
use crate::domain::{ItemError, ItemOutcome, Timestamp};

/// Items that one script call moves at most, so that no call holds up the
/// others for long.
const ITEMS_PER_CALL: usize = 256;

/// Bytes of outcomes after which a script call takes no more.
const BYTES_PER_CALL: usize = 8 * MAX_OUTCOME_BYTES;

/// An item as the claim script tells it: reference, token, attempt, attempts
/// allowed, whether solo, source, options, when its job was created, its place in
/// a trace.
type ClaimedRow = (String, String, u32, u32, bool, String, String, u64, String);

/// Items for a worker.
pub(super) async fn claim(
    server: &Server,
    request: &ClaimRequest,
) -> Result<Vec<Claimed>, StoreError> {
    if request.max == 0 {
        return Ok(Vec::new());
    }
    let mut step = server.step(&server.scripts().claim, Shard::ONLY);
    step.arg(request.worker.as_str())
        .arg(request.model.as_str())
        .arg(millis(request.lease.min(LONGEST_LEASE)))
        .arg(canceled()?);
    for _ in 0..request.max.min(ITEMS_PER_CALL) {
        step.arg(format!("{:016x}", rand::random::<u64>()));
    }
    let rows: Vec<ClaimedRow> = server.run_ending(&step).await?;
    rows.into_iter().map(read_claimed).collect()
}

fn read_claimed(row: ClaimedRow) -> Result<Claimed, StoreError> {
    let (item, token, attempt, max_attempts, solo, source, options, created, trace) = row;
    Ok(Claimed {
        lease: Lease { item: read("an item", &item)?, token: LeaseToken(token) },
        source: read_source(&source)?,
        options: read_json(&options)?,
        attempt,
        max_attempts,
        solo,
        created_at: Timestamp(created),
        trace: if trace.is_empty() { None } else { Some(read("a place in a trace", &trace)?) },
    })
}

/// More time for leases.
pub(super) async fn extend(
    server: &Server,
    held: &[Lease],
    by: Duration,
) -> Result<Extended, StoreError> {
    let mut extended = Extended::default();
    for chunk in held.chunks(ITEMS_PER_CALL) {
        let mut step = server.step(&server.scripts().extend, Shard::ONLY);
        step.arg(millis(by.min(LONGEST_LEASE)));
        for lease in chunk {
            step.arg(lease.item.to_string()).arg(&lease.token.0);
        }
        let (lost, canceled): (Vec<usize>, Vec<usize>) = server.run(&step).await?;
        let item = |place: usize| chunk.get(place).map(|lease| lease.item);
        extended.lost.extend(lost.into_iter().filter_map(item));
        extended.canceled.extend(canceled.into_iter().filter_map(item));
    }
    Ok(extended)
}

/// Outcomes of items.
pub(super) async fn complete(
    server: &Server,
    outcomes: &[(Lease, ItemOutcome)],
) -> Result<Vec<Recorded>, StoreError> {
    let texts: Vec<String> =
        outcomes.iter().map(|(_, outcome)| write_json(outcome)).collect::<Result<_, _>>()?;
    if texts.iter().any(|text| text.len() > MAX_OUTCOME_BYTES) {
        return Err(StoreError::Invalid("an outcome is larger than 1 MiB"));
    }
    let mut recorded = Vec::with_capacity(outcomes.len());
    let mut rest = outcomes.iter().zip(&texts).peekable();
    while rest.peek().is_some() {
        let mut step = server.step(&server.scripts().complete, Shard::ONLY);
        let (mut items, mut bytes) = (0, 0);
        while items < ITEMS_PER_CALL && bytes < BYTES_PER_CALL {
            let Some(((lease, outcome), text)) = rest.next() else { break };
            step.arg(lease.item.to_string()).arg(&lease.token.0).arg(counter(outcome)).arg(text);
            items += 1;
            bytes += text.len();
        }
        let answers: Vec<(String, String)> = server.run_ending(&step).await?;
        for (word, ending) in answers {
            recorded.push(read_recorded(&word, &ending)?);
        }
    }
    Ok(recorded)
}

fn read_recorded(word: &str, ending: &str) -> Result<Recorded, StoreError> {
    match word {
        "stored" => Ok(Recorded::Stored { job_ended: read_ending(ending)? }),
        "gone" => Ok(Recorded::Gone),
        "fenced" => Ok(Recorded::Fenced),
        word => Err(unknown_word(word)),
    }
}

/// Another try for an item, or its end.
pub(super) async fn retry(
    server: &Server,
    lease: &Lease,
    after: Duration,
    error: &ItemError,
) -> Result<Retried, StoreError> {
    let mut step = server.step(&server.scripts().retry, Shard::of(&lease.item.job));
    step.arg(lease.item.to_string())
        .arg(&lease.token.0)
        .arg(millis(after))
        .arg(write_json(&ItemOutcome::Failed(error.clone()))?)
        .arg(canceled()?);
    let (word, ending): (String, String) = server.run_ending(&step).await?;
    let job_ended = read_ending(&ending)?;
    match word.as_str() {
        "delayed" => Ok(Retried::Delayed),
        "dead" => Ok(Retried::Dead { job_ended }),
        "canceled" => Ok(Retried::Canceled { job_ended }),
        "gone" => Ok(Retried::Gone),
        "fenced" => Ok(Retried::Fenced),
        word => Err(unknown_word(word)),
    }
}

/// Items given back.
pub(super) async fn release(server: &Server, held: &[Lease]) -> Result<(), StoreError> {
    for chunk in held.chunks(ITEMS_PER_CALL) {
        let mut step = server.step(&server.scripts().release, Shard::ONLY);
        step.arg(canceled()?);
        for lease in chunk {
            step.arg(lease.item.to_string()).arg(&lease.token.0);
        }
        let _: String = server.run_ending(&step).await?;
    }
    Ok(())
}
