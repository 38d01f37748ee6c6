//! The verbs of housekeeping.

use super::super::{LONGEST_LEASE, MAX_CRASHES, MAX_SOLO_CRASHES, Reaped, StoreError, Swept};
use super::intake::unknown_word;
use super::keys::Shard;
use super::records::{canceled, read, worker_lost};
use super::server::{Server, millis};
use crate::domain::{ItemRef, JobId};

/// Leases that one script call looks at.
const LEASES_PER_CALL: usize = 256;

/// Items after which one script call removes no further job.
const ITEMS_PER_SWEEP: u32 = 2_000;

/// What the reaping script answers: items requeued, dead and canceled, and
/// how many leases it looked at.
type ReapedRows = (Vec<String>, Vec<String>, Vec<String>, usize);

/// What the sweeping script answers: a word, an id and a number of items for
/// each job, and whether there may be more.
type SweptRows = (Vec<(String, String, u32)>, bool);

/// Expired leases, of one shard after the other. What was done is told, even
/// where one does not answer.
pub(super) async fn reap(server: &Server, limit: usize) -> Result<Reaped, StoreError> {
    let mut reaped = Reaped::default();
    let mut failure = None;
    for shard in server.round() {
        let done = reaped.requeued.len() + reaped.dead.len() + reaped.canceled.len();
        if let Err(error) = reap_in(server, shard, limit.saturating_sub(done), &mut reaped).await {
            failure = Some(error);
        }
    }
    match failure {
        Some(error) if reaped == Reaped::default() => Err(error),
        Some(_) | None => Ok(reaped),
    }
}

async fn reap_in(
    server: &Server,
    shard: Shard,
    limit: usize,
    reaped: &mut Reaped,
) -> Result<(), StoreError> {
    let mut left = limit;
    while left > 0 {
        let some = left.min(LEASES_PER_CALL);
        let mut step = server.step(&server.scripts().reap, shard);
        step.arg(some)
            .arg(millis(LONGEST_LEASE))
            .arg(MAX_SOLO_CRASHES)
            .arg(MAX_CRASHES)
            .arg(worker_lost()?)
            .arg(canceled()?);
        let (requeued, dead, canceled, looked): ReapedRows = server.run_ending(&step).await?;
        reaped.requeued.append(&mut read_items(&requeued)?);
        reaped.dead.append(&mut read_items(&dead)?);
        reaped.canceled.append(&mut read_items(&canceled)?);
        if looked < some {
            break;
        }
        left -= some;
    }
    Ok(())
}

fn read_items(texts: &[String]) -> Result<Vec<ItemRef>, StoreError> {
    texts.iter().map(|text| read("an item", text)).collect()
}

/// Jobs past their time, of one shard after the other. What is gone is told,
/// even where one does not answer, for its blobs are to go too.
pub(super) async fn sweep(server: &Server, limit: usize) -> Result<Swept, StoreError> {
    let mut swept = Swept::default();
    let mut failure = None;
    for shard in server.round() {
        let done = swept.expired.len() + swept.aborted.len();
        if let Err(error) = sweep_in(server, shard, limit.saturating_sub(done), &mut swept).await {
            failure = Some(error);
        }
    }
    match failure {
        Some(error) if swept == Swept::default() => Err(error),
        Some(_) | None => Ok(swept),
    }
}

async fn sweep_in(
    server: &Server,
    shard: Shard,
    limit: usize,
    swept: &mut Swept,
) -> Result<(), StoreError> {
    let mut left = limit;
    while left > 0 {
        let mut step = server.step(&server.scripts().sweep, shard);
        step.arg(left).arg(ITEMS_PER_SWEEP);
        let (rows, more): SweptRows = server.run(&step).await?;
        left = left.saturating_sub(rows.len());
        for (word, id, items) in rows {
            let job: JobId = read("a job id", &id)?;
            match word.as_str() {
                "expired" => swept.expired.push((job, items)),
                "aborted" => swept.aborted.push((job, items)),
                word => return Err(unknown_word(word)),
            }
        }
        if !more {
            break;
        }
    }
    Ok(())
}
