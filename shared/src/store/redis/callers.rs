//! The verbs of callers, each of whom sees its own tenant only.

use std::cmp::Reverse;

use futures::future::try_join_all;
use redis::{FromRedisValue, Pipeline, Value, from_redis_value};

use super::super::{Canceled, Deleted, Found, JobFilter, JobPage, ListPosition, StoreError};
use super::intake::unknown_word;
use super::keys::Shard;
use super::records::{Fields, canceled, read, read_job, read_json, read_status};
use super::server::Server;
use crate::domain::{ItemResult, Job, JobId, JobStatus, TenantId, Timestamp};

/// Jobs on a page at most.
const PAGE: usize = 100;

/// Places in the list that one call looks at for jobs of a model.
const LOOKED_AT: usize = 1_000;

/// Items that one call of the canceling script looks at.
const ITEMS_PER_CANCEL: u32 = 200;

/// Outcomes that are read without a script at most.
const READ_PLAINLY: u32 = 20;

/// Outcomes as scripts tell them, each behind its place.
type ResultRows = Vec<(u32, String)>;

/// A job by its id.
pub(super) async fn find(
    server: &Server,
    tenant: &TenantId,
    id: &JobId,
) -> Result<Found, StoreError> {
    Ok(find_ended(server, tenant, id, (0, 0)).await?.0)
}

/// A job by its id, and if it has ended its items in `places`: the first and how
/// many.
///
/// A job that is there is read by plain commands, which cost Redis a fifth of a
/// script; what they leave open, a script answers.
pub(super) async fn find_ended(
    server: &Server,
    tenant: &TenantId,
    id: &JobId,
    places: (u32, u32),
) -> Result<(Found, Vec<ItemResult>), StoreError> {
    if let Some((job, items)) = read_plainly(server, tenant, id, places).await? {
        return Ok((Found::Job(Box::new(job)), items));
    }
    let mut step = server.step(&server.scripts().find, server.shard_of(id));
    step.arg(tenant.as_str()).arg(id.to_string()).arg(places.0).arg(places.1);
    let (word, fields, rows): (String, Fields, ResultRows) = server.run(&step).await?;
    let found = match word.as_str() {
        "job" => Found::Job(Box::new(read_job(*id, &fields)?)),
        "expired" => Found::Expired,
        "unknown" => Found::Unknown,
        word => return Err(unknown_word(word)),
    };
    Ok((found, read_results(rows)?))
}

/// The job, and if it has ended its items in `places`; nothing where that is not
/// sure: it is not there, or another's, or changes between the two commands, or
/// has more items than are asked for here.
async fn read_plainly(
    server: &Server,
    tenant: &TenantId,
    id: &JobId,
    (first, limit): (u32, u32),
) -> Result<Option<(Job, Vec<ItemResult>)>, StoreError> {
    let shard = server.shard_of(id);
    let indices = first..first.saturating_add(limit.min(READ_PLAINLY));
    let mut commands = Pipeline::with_capacity(2);
    commands.hgetall(shard.job(id));
    if !indices.is_empty() {
        commands.hmget(shard.results(id), indices.clone().collect::<Vec<_>>());
    }
    let mut answers = server.pipeline(&commands).await?.into_iter();
    let fields: Fields = read_value(answers.next())?;
    let is = |name: &str, text: &str| fields.get(name).is_some_and(|value| value == text);
    if !is("tenant", tenant.as_str()) || is("status", "open") {
        return Ok(None);
    }
    let job = read_job(*id, &fields)?;
    if !job.status.is_terminal() || limit == 0 {
        return Ok(Some((job, Vec::new())));
    }
    let outcomes: Vec<Option<String>> = read_value(answers.next())?;
    let rows = indices.zip(outcomes).filter_map(|(index, text)| Some((index, text?)));
    let items = read_results(rows.collect())?;
    // All items of an ended job have ended.
    let wanted = job.items.total.saturating_sub(first).min(limit);
    Ok((items.len() == wanted as usize).then_some((job, items)))
}

fn read_value<T: FromRedisValue>(value: Option<Value>) -> Result<T, StoreError> {
    let value = value.ok_or_else(|| StoreError::Corrupt("Redis left out an answer".to_owned()))?;
    from_redis_value(value).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// Ended items in `places`: the first and how many.
pub(super) async fn results(
    server: &Server,
    tenant: &TenantId,
    id: &JobId,
    places: (u32, u32),
) -> Result<Vec<ItemResult>, StoreError> {
    let mut step = server.step(&server.scripts().results, server.shard_of(id));
    step.arg(tenant.as_str()).arg(id.to_string()).arg(places.0).arg(places.1);
    let (word, rows): (String, ResultRows) = server.run(&step).await?;
    match word.as_str() {
        "results" => read_results(rows),
        "unknown" => Err(StoreError::NotFound),
        word => Err(unknown_word(word)),
    }
}

fn read_results(rows: ResultRows) -> Result<Vec<ItemResult>, StoreError> {
    let read = |(index, text): (u32, String)| Ok(ItemResult { index, outcome: read_json(&text)? });
    rows.into_iter().map(read).collect()
}

/// A page of a tenant's jobs: one page of each shard, merged.
pub(super) async fn list(
    server: &Server,
    tenant: &TenantId,
    filter: &JobFilter,
    after: Option<ListPosition>,
    limit: usize,
) -> Result<JobPage, StoreError> {
    let limit = limit.clamp(1, PAGE);
    let shards = server.shards().all();
    let pages = shards.map(|shard| list_of(server, shard, tenant, filter, after, limit));
    Ok(merge(try_join_all(pages).await?, limit))
}

async fn list_of(
    server: &Server,
    shard: Shard,
    tenant: &TenantId,
    filter: &JobFilter,
    after: Option<ListPosition>,
    limit: usize,
) -> Result<JobPage, StoreError> {
    // One place more than wanted tells whether there is a next page.
    let looked_at = if filter.model.is_some() { LOOKED_AT } else { limit + 1 };
    let mut step = server.step(&server.scripts().list, shard);
    step.arg(tenant.as_str())
        .arg(filter.status.map_or("", JobStatus::as_str))
        .arg(filter.model.as_ref().map_or("", |model| model.as_str()))
        .arg(after.map_or_else(String::new, |position| write_place(&position)))
        .arg(limit)
        .arg(looked_at);
    let (next, rows): (String, Vec<(String, Fields)>) = server.run(&step).await?;
    let jobs = rows
        .iter()
        .map(|(id, fields)| read_job(read("a job id", id)?, fields))
        .collect::<Result<Vec<Job>, StoreError>>()?;
    Ok(JobPage { jobs, next: read_place(&next)? })
}

/// The newest of several pages. A page with a next one tells nothing of what
/// lies behind that place, so the merged one ends there too: a place in the
/// merged list is a place in each.
fn merge(pages: Vec<JobPage>, limit: usize) -> JobPage {
    let place = |job: &Job| (job.created_at, job.id);
    let known = pages.iter().filter_map(|page| page.next).map(|at| (at.created_at, at.id)).max();
    let mut jobs: Vec<Job> = pages.into_iter().flat_map(|page| page.jobs).collect();
    jobs.sort_by_key(|job| Reverse(place(job)));
    let found = jobs.len();
    jobs.retain(|job| known.is_none_or(|known| place(job) >= known));
    jobs.truncate(limit);
    let more = known.is_some() || jobs.len() < found;
    let last = if jobs.len() == limit { jobs.last().map(place) } else { known };
    let next = last.filter(|_| more).map(|(created_at, id)| ListPosition { created_at, id });
    JobPage { jobs, next }
}

/// A place in a list sorts by its text, so the time has a fixed width.
fn write_place(position: &ListPosition) -> String {
    format!("{:015}:{}", position.created_at.0, position.id)
}

fn read_place(text: &str) -> Result<Option<ListPosition>, StoreError> {
    let Some((created, id)) = text.split_once(':') else { return Ok(None) };
    Ok(Some(ListPosition {
        created_at: Timestamp(read("a time", created)?),
        id: read("a job id", id)?,
    }))
}

/// A job's cancellation, in as many calls as its size takes. Should they be
/// broken off, the items left over end when they are claimed.
pub(super) async fn cancel(
    server: &Server,
    tenant: &TenantId,
    id: &JobId,
) -> Result<Canceled, StoreError> {
    let mut items = Vec::new();
    let mut first = 0;
    loop {
        let mut step = server.step(&server.scripts().cancel, server.shard_of(id));
        step.arg(tenant.as_str())
            .arg(id.to_string())
            .arg(first)
            .arg(ITEMS_PER_CANCEL)
            .arg(canceled()?);
        let (word, next, mut here): (String, String, Vec<u32>) = server.run_ending(&step).await?;
        match word.as_str() {
            "requested" => items.append(&mut here),
            "ended" if items.is_empty() => {
                return Ok(Canceled::AlreadyEnded(read_status(&next)?));
            }
            "unknown" if first == 0 => return Err(StoreError::NotFound),
            // It was removed, or ended, between two calls.
            "ended" | "unknown" => return Ok(Canceled::Requested { items }),
            word => return Err(unknown_word(word)),
        }
        if next.is_empty() {
            return Ok(Canceled::Requested { items });
        }
        first = read("a place", &next)?;
    }
}

/// A job's removal.
pub(super) async fn delete(
    server: &Server,
    tenant: &TenantId,
    id: &JobId,
) -> Result<Deleted, StoreError> {
    let mut step = server.step(&server.scripts().delete, server.shard_of(id));
    step.arg(tenant.as_str()).arg(id.to_string());
    let (word, items): (String, u32) = server.run(&step).await?;
    match word.as_str() {
        "deleted" => Ok(Deleted { items }),
        "unknown" => Err(StoreError::NotFound),
        word => Err(unknown_word(word)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_list_survives_text_and_back_and_sorts_by_time() {
        let at = |created| ListPosition { created_at: Timestamp(created), id: JobId::generate() };
        let (earlier, later) = (at(999), at(1_000));
        assert_eq!(read_place(&write_place(&later)).unwrap(), Some(later));
        assert_eq!(read_place("").unwrap(), None);
        assert!(write_place(&earlier) < write_place(&later));
    }
}
