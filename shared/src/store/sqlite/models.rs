//! What workers serve: a worker's heartbeat keeps it live, and a model is
//! known for a week after it was last announced.

use std::time::Duration;

use rusqlite::{Connection, params};

use super::step::Step;
use super::time::Moment;
use super::values::{Json, json};
use crate::domain::{AnnouncedModel, ModelName, WorkerCard, WorkerId};
use crate::store::StoreError;

/// How long a model that nobody announces any longer is listed.
pub(super) const MODEL_MEMORY: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// An announcement as its rows want it.
pub(super) struct Announcement {
    worker: WorkerId,
    ttl: Duration,
    models: Vec<(ModelName, String)>,
}

impl Announcement {
    /// The rows of a worker's card.
    pub(super) fn new(card: &WorkerCard, ttl: Duration) -> Result<Self, StoreError> {
        let rows = card.models.iter().map(|model| Ok((model.name.clone(), json(model)?)));
        let models = rows.collect::<Result<_, StoreError>>()?;
        Ok(Self { worker: card.id.clone(), ttl, models })
    }
}

/// Takes a worker's announcement or heartbeat.
pub(super) fn announce(step: &Step<'_>, news: &Announcement) -> Result<(), StoreError> {
    let Announcement { worker, ttl, models } = news;
    step.db
        .prepare_cached(
            "INSERT INTO workers (id, expires_at) VALUES (?1, ?2)
             ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at",
        )?
        .execute(params![worker, step.now.wall.plus(*ttl)])?;
    step.db.prepare_cached("DELETE FROM serving WHERE worker = ?1")?.execute([worker])?;
    for (model, card) in models {
        step.db
            .prepare_cached("INSERT OR IGNORE INTO serving (model, worker) VALUES (?1, ?2)")?
            .execute(params![model, worker])?;
        step.db
            .prepare_cached(
                "INSERT INTO models (name, announced_at, card) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE
                 SET announced_at = excluded.announced_at, card = excluded.card",
            )?
            .execute(params![model, step.now.wall, card])?;
    }
    Ok(())
}

/// Forgets a worker.
pub(super) fn retire(step: &Step<'_>, worker: &WorkerId) -> Result<(), StoreError> {
    step.db.prepare_cached("DELETE FROM workers WHERE id = ?1")?.execute([worker])?;
    Ok(())
}

/// Takes a model from a worker, and forgets it where it was the last.
pub(super) fn withdraw(
    step: &Step<'_>,
    worker: &WorkerId,
    model: &ModelName,
) -> Result<(), StoreError> {
    step.db
        .prepare_cached("DELETE FROM serving WHERE model = ?1 AND worker = ?2")?
        .execute(params![model, worker])?;
    step.db
        .prepare_cached(
            "DELETE FROM models WHERE name = ?1 AND NOT EXISTS
                 (SELECT 1 FROM workers w JOIN serving s ON s.worker = w.id
                  WHERE s.model = ?1 AND w.expires_at > ?2)",
        )?
        .execute(params![model, step.now.wall])?;
    Ok(())
}

/// Every model announced lately, by name.
pub(super) fn models(db: &Connection, now: &Moment<'_>) -> Result<Vec<AnnouncedModel>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT m.card, (SELECT count(*) FROM workers w JOIN serving s ON s.worker = w.id
                         WHERE s.model = m.name AND w.expires_at > ?1)
         FROM models m WHERE m.announced_at > ?2 ORDER BY m.name",
    )?;
    let rows = select.query_map(params![now.wall, now.ago(MODEL_MEMORY)], |row| {
        Ok(AnnouncedModel { card: row.get::<_, Json<_>>(0)?.0, live_workers: row.get(1)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
