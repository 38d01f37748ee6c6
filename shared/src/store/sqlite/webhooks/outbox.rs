//! The step that ends a job also writes whom to tell, so that no end goes
//! untold, however the process fares after it.

use rusqlite::{Connection, params};

use super::lane::Lane;
use crate::domain::{
    Callback, EndedJob, EndpointId, Event, ItemCounts, JobId, JobStatus, TenantId,
};
use crate::store::StoreError;
use crate::store::sqlite::step::Step;
use crate::store::sqlite::values::{Json, json};

/// A job that ends in this step.
pub(in crate::store::sqlite) struct Ended {
    pub(in crate::store::sqlite) job: JobId,
    pub(in crate::store::sqlite) status: JobStatus,
    pub(in crate::store::sqlite) items: ItemCounts,
}

/// Whom to tell.
struct Receiver {
    endpoint: EndpointId,
    origin: String,
    url: String,
}

/// Writes one delivery to the job's callback, and one to each of its tenant's
/// enabled endpoints that wants the event. Deliveries that are there already,
/// from an earlier job of that id, stay as they are.
pub(in crate::store::sqlite) fn write(
    step: &mut Step<'_>,
    ended: &Ended,
    tenant: &TenantId,
    callback: Option<Callback>,
) -> Result<(), StoreError> {
    let Some(event) = Event::of(ended.status) else { return Ok(()) };
    let mut receivers = endpoints_for(step.db, tenant, event)?;
    receivers.extend(callback.map(|Callback { url, origin }| Receiver {
        endpoint: EndpointId::callbacks(),
        origin,
        url,
    }));
    if receivers.is_empty() {
        return Ok(());
    }
    step.db
        .prepare_cached(
            "INSERT INTO endings (job, ended) VALUES (?1, ?2) ON CONFLICT (job) DO NOTHING",
        )?
        .execute(params![ended.job, json(&snapshot(step, ended)?)?])?;
    for receiver in &receivers {
        deliver_to(step, ended.job, tenant, event, receiver)?;
    }
    step.changes.delivery();
    Ok(())
}

fn endpoints_for(
    db: &Connection,
    tenant: &TenantId,
    event: Event,
) -> Result<Vec<Receiver>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT id, url, events FROM endpoints
         WHERE tenant = ?1 AND disabled IS NULL AND url IS NOT NULL",
    )?;
    let mut rows = select.query([tenant])?;
    let mut receivers = Vec::new();
    while let Some(row) = rows.next()? {
        let wanted = row.get::<_, Json<Vec<Event>>>(2)?.0;
        if wanted.is_empty() || wanted.contains(&event) {
            let (endpoint, url) = (row.get(0)?, row.get(1)?);
            receivers.push(Receiver { endpoint, origin: String::new(), url });
        }
    }
    Ok(receivers)
}

/// What the job's row says, and what this step knows better.
fn snapshot(step: &Step<'_>, ended: &Ended) -> Result<EndedJob, StoreError> {
    let mut select = step.db.prepare_cached(
        "SELECT l.model, j.metadata, j.created_at, j.trace
         FROM jobs j CROSS JOIN lanes l ON l.id = j.lane WHERE j.id = ?1",
    )?;
    Ok(select.query_row([ended.job], |row| {
        Ok(EndedJob {
            id: ended.job,
            model: row.get(0)?,
            status: ended.status,
            items: ended.items,
            metadata: row.get::<_, Json<_>>(1)?.0,
            created_at: row.get(2)?,
            completed_at: step.now.wall,
            trace: row.get(3)?,
        })
    })?)
}

fn deliver_to(
    step: &Step<'_>,
    job: JobId,
    tenant: &TenantId,
    event: Event,
    receiver: &Receiver,
) -> Result<(), StoreError> {
    let Receiver { endpoint, origin, url } = receiver;
    let lane = Lane::of(step.db, tenant, endpoint, origin)?;
    step.db
        .prepare_cached(
            "INSERT INTO deliveries (job, endpoint, tenant, origin, url, event, status,
                                     created_at, due, lane, ready_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'pending', ?7, ?7, ?8, ?7)
             ON CONFLICT (job, endpoint) DO NOTHING",
        )?
        .execute(params![
            job,
            endpoint,
            tenant,
            origin,
            url,
            event.as_str(),
            step.now.wall,
            lane.id
        ])?;
    lane.refresh(step.db, step.now.wall)
}
