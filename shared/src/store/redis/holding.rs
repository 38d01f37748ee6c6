//! The verbs of workers: claim items, hold them, end them.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use redis::cmd;

use super::super::{
    ClaimRequest, Claimed, Extended, LONGEST_LEASE, Lease, LeaseToken, MAX_CLAIMED_PER_CALL,
    MAX_CONTENT_BYTES, MAX_OUTCOME_BYTES, Recorded, Retried, StoreError,
};
use super::intake::unknown_word;
use super::keys::Shard;
use super::records::{
    canceled, counter, read, read_ending, read_json, read_source, upload_bytes, write_json,
};
use super::server::{Server, millis};
use super::tickets::Tickets;
use crate::domain::{ItemError, ItemOutcome, Timestamp};

/// Items that one script call moves at most, so that no call holds up the
/// others for long.
const ITEMS_PER_CALL: usize = MAX_CLAIMED_PER_CALL;

/// Bytes of outcomes after which a script call takes no more.
const BYTES_PER_CALL: usize = 8 * MAX_OUTCOME_BYTES;

/// An item as the claim script tells it: reference, token, attempt, attempts
/// allowed, whether solo, source, options, when its job was created, its place in
/// a trace, tenant.
type ClaimedRow = (String, String, u32, u32, bool, String, String, u64, String, String);

/// Items for a worker, from one shard after the other until there are enough.
pub(super) async fn claim(
    server: &Server,
    tickets: &Tickets,
    request: &ClaimRequest,
) -> Result<Vec<Claimed>, StoreError> {
    let mut claimed: Vec<Claimed> = Vec::new();
    let mut failure = None;
    for shard in server.round() {
        let wanted = request.max.min(ITEMS_PER_CALL) - claimed.len();
        if wanted == 0 || claimed.last().is_some_and(|item| item.solo) {
            break;
        }
        let brought: usize = claimed.iter().flat_map(|item| &item.content).map(Bytes::len).sum();
        let room = Room {
            items: wanted,
            bytes: request.with_content.then_some(MAX_CONTENT_BYTES.saturating_sub(brought)),
            alone: claimed.is_empty(),
        };
        match claim_from(server, tickets, shard, request, room).await {
            Ok(mut here) => claimed.append(&mut here),
            // The others go on; those that were claimed are not kept waiting.
            Err(error) if claimed.is_empty() => failure = Some(error),
            Err(_) => break,
        }
    }
    match failure {
        Some(error) if claimed.is_empty() => Err(error),
        Some(_) | None => Ok(claimed),
    }
}

/// What one shard may add to a claim.
struct Room {
    items: usize,
    /// Of uploads; none where they are not asked for.
    bytes: Option<usize>,
    /// Whether an item may come that is to be alone.
    alone: bool,
}

/// Items of one shard.
async fn claim_from(
    server: &Server,
    tickets: &Tickets,
    shard: Shard,
    request: &ClaimRequest,
    room: Room,
) -> Result<Vec<Claimed>, StoreError> {
    let lease = request.lease.min(LONGEST_LEASE);
    let ticket = tickets.draw(shard, lease);
    let mut step = server.step(&server.scripts().claim, shard);
    step.arg(request.worker.as_str())
        .arg(request.model.as_str())
        .arg(millis(lease))
        .arg(canceled()?)
        .arg(u8::from(room.alone))
        .arg(room.items)
        .arg(ticket.text());
    let lost = ticket.lost_before();
    for ticket in &lost {
        step.arg(ticket);
    }
    let rows: Vec<ClaimedRow> = server.run_ending(&step).await?;
    ticket.answered(&lost);
    let mut contents = contents(server, shard, &rows, room.bytes).await;
    let claimed = rows.into_iter().map(|row| {
        let content = contents.remove(&row.0);
        Ok(Claimed { content, ..read_claimed(row)? })
    });
    claimed.collect()
}

/// The bytes of the uploads among the rows, by item, as many as there is room
/// for. They are asked for together, and not by the script: it would copy each of
/// them several times. A worker fetches itself what does not come.
async fn contents(
    server: &Server,
    shard: Shard,
    rows: &[ClaimedRow],
    room: Option<usize>,
) -> HashMap<String, Bytes> {
    let Some(mut room) = room else { return HashMap::new() };
    let mut items = Vec::new();
    let mut get = cmd("MGET");
    for (item, _, _, _, _, source, ..) in rows {
        let (Some(bytes), Ok(place)) = (upload_bytes(source), item.parse()) else { continue };
        if bytes <= room {
            room -= bytes;
            get.arg(shard.blob(place));
            items.push(item.clone());
        }
    }
    if items.is_empty() {
        return HashMap::new();
    }
    match server.command::<Vec<Option<Bytes>>>(&get).await {
        Ok(contents) => items
            .into_iter()
            .zip(contents)
            .filter_map(|(item, bytes)| Some((item, bytes?)))
            .collect(),
        Err(error) => {
            tracing::debug!(%error, "uploads do not come with their items");
            HashMap::new()
        }
    }
}

fn read_claimed(row: ClaimedRow) -> Result<Claimed, StoreError> {
    let (item, token, attempt, max_attempts, solo, source, options, created, trace, tenant) = row;
    Ok(Claimed {
        lease: Lease { item: read("an item", &item)?, token: LeaseToken(token) },
        tenant: read("tenant", &tenant)?,
        source: read_source(&source)?,
        content: None,
        options: read_json(&options)?,
        attempt,
        max_attempts,
        solo,
        created_at: Timestamp(created),
        trace: if trace.is_empty() { None } else { Some(read("a place in a trace", &trace)?) },
    })
}

/// More time for leases. Answers in the order given.
pub(super) async fn extend(
    server: &Server,
    held: &[Lease],
    by: Duration,
) -> Result<Extended, StoreError> {
    let parts = parts(server, held);
    let told = parts.iter().map(|(shard, leases)| extend_in(server, *shard, leases, by));
    let (mut lost, mut canceled) = (Vec::new(), Vec::new());
    for answer in join_all(told).await {
        let (mut lost_here, mut canceled_here) = answer?;
        lost.append(&mut lost_here);
        canceled.append(&mut canceled_here);
    }
    let items = |mut places: Vec<usize>| {
        places.sort_unstable();
        places.into_iter().filter_map(|place| Some(held.get(place)?.item)).collect()
    };
    Ok(Extended { lost: items(lost), canceled: items(canceled) })
}

/// Answers the places of the leases that were lost, and of those whose job was
/// canceled.
async fn extend_in(
    server: &Server,
    shard: Shard,
    held: &[(usize, &Lease)],
    by: Duration,
) -> Result<(Vec<usize>, Vec<usize>), StoreError> {
    let (mut lost, mut canceled) = (Vec::new(), Vec::new());
    for chunk in held.chunks(ITEMS_PER_CALL) {
        let mut step = server.step(&server.scripts().extend, shard);
        step.arg(millis(by.min(LONGEST_LEASE)));
        for (_, lease) in chunk {
            step.arg(lease.item.to_string()).arg(&lease.token.0);
        }
        let (lost_here, canceled_here): (Vec<usize>, Vec<usize>) = server.run(&step).await?;
        let place = |at: usize| chunk.get(at).map(|(place, _)| *place);
        lost.extend(lost_here.into_iter().filter_map(place));
        canceled.extend(canceled_here.into_iter().filter_map(place));
    }
    Ok((lost, canceled))
}

/// Leases by shard, each with its place in the list.
fn parts<'a>(server: &Server, held: &'a [Lease]) -> Vec<(Shard, Vec<(usize, &'a Lease)>)> {
    let parts = server.shards().part(held, |lease| lease.item.job).into_iter();
    let leases = |places: Vec<usize>| {
        places.into_iter().filter_map(|place| Some((place, held.get(place)?))).collect()
    };
    parts.map(|(shard, places)| (shard, leases(places))).collect()
}

/// An outcome to be recorded: its place in the list, the lease, the outcome and
/// its text.
type Outcome<'a> = (usize, &'a Lease, &'a ItemOutcome, String);

/// Outcomes of items. All shards are told, whether or not one fails.
pub(super) async fn complete(
    server: &Server,
    outcomes: &[(Lease, ItemOutcome)],
) -> Result<Vec<Recorded>, StoreError> {
    let mut parts: Vec<(Shard, Vec<Outcome<'_>>)> = Vec::new();
    for (shard, places) in server.shards().part(outcomes, |(lease, _)| lease.item.job) {
        let mut part = Vec::with_capacity(places.len());
        for place in places {
            let Some((lease, outcome)) = outcomes.get(place) else { continue };
            let text = write_json(outcome)?;
            if text.len() > MAX_OUTCOME_BYTES {
                return Err(StoreError::Invalid("an outcome is larger than 1 MiB"));
            }
            part.push((place, lease, outcome, text));
        }
        parts.push((shard, part));
    }
    let told = parts.iter().map(|(shard, part)| complete_in(server, *shard, part));
    let mut recorded = Vec::with_capacity(outcomes.len());
    for answer in join_all(told).await {
        recorded.append(&mut answer?);
    }
    recorded.sort_unstable_by_key(|(place, _)| *place);
    Ok(recorded.into_iter().map(|(_, recorded)| recorded).collect())
}

async fn complete_in(
    server: &Server,
    shard: Shard,
    outcomes: &[Outcome<'_>],
) -> Result<Vec<(usize, Recorded)>, StoreError> {
    let mut recorded = Vec::with_capacity(outcomes.len());
    let mut rest = outcomes.iter().peekable();
    while rest.peek().is_some() {
        let mut step = server.step(&server.scripts().complete, shard);
        let (mut places, mut bytes) = (Vec::new(), 0);
        while places.len() < ITEMS_PER_CALL && bytes < BYTES_PER_CALL {
            let Some((place, lease, outcome, text)) = rest.next() else { break };
            step.arg(lease.item.to_string()).arg(&lease.token.0).arg(counter(outcome)).arg(text);
            places.push(*place);
            bytes += text.len();
        }
        let answers: Vec<(String, String)> = server.run_ending(&step).await?;
        for (place, (word, ending)) in places.into_iter().zip(answers) {
            recorded.push((place, read_recorded(&word, &ending)?));
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
    let mut step = server.step(&server.scripts().retry, server.shard_of(&lease.item.job));
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
    let parts = parts(server, held);
    let told = parts.iter().map(|(shard, leases)| release_in(server, *shard, leases));
    join_all(told).await.into_iter().collect()
}

async fn release_in(
    server: &Server,
    shard: Shard,
    held: &[(usize, &Lease)],
) -> Result<(), StoreError> {
    for chunk in held.chunks(ITEMS_PER_CALL) {
        let mut step = server.step(&server.scripts().release, shard);
        step.arg(canceled()?);
        for (_, lease) in chunk {
            step.arg(lease.item.to_string()).arg(&lease.token.0);
        }
        let _: String = server.run_ending(&step).await?;
    }
    Ok(())
}
