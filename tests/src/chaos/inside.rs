//! What the store holds at this moment, read behind its back: which items a
//! worker has, so that an experiment knows whom its fault touched.

use std::path::PathBuf;

use anyhow::Context as _;
use redis::AsyncTypedCommands as _;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::fleet::Fleet;
use crate::harness::Backend;

/// Keys of the attempts at items that have not ended, in the store's Redis.
const TRIES: &str = "{aisle:0}:try:";

/// The open database of a fleet.
pub enum Inside {
    /// The file, opened anew for each look.
    Sqlite(PathBuf),
    /// A connection of the experiment's own.
    Redis(redis::aio::MultiplexedConnection),
}

/// Who has an item: its state and the worker that last held it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// `ready`, `delayed`, `running` or `held`.
    pub state: String,
    /// The worker of its last claim.
    pub worker: Option<String>,
}

impl Inside {
    /// Of that fleet.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn of(fleet: &Fleet) -> anyhow::Result<Self> {
        Ok(match (&fleet.redis, fleet.backend) {
            (Some(server), Backend::Redis) => Self::Redis(server.connect().await?),
            _ => Self::Sqlite(fleet.data().join("aisle.db")),
        })
    }

    /// The items that a worker holds, as `<job>.<index>`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn held_by(&mut self, worker: &str) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Sqlite(path) => {
                let sql = "SELECT lower(hex(job)), idx FROM items \
                           WHERE state = 'running' AND worker = ?1";
                let db = open(path)?;
                let mut select = db.prepare(sql)?;
                let rows = select.query_map([worker], |row| {
                    Ok(format!(
                        "{}.{}",
                        hyphenated(&row.get::<_, String>(0)?),
                        row.get::<_, u32>(1)?
                    ))
                })?;
                Ok(rows.collect::<rusqlite::Result<_>>()?)
            }
            Self::Redis(connection) => {
                let mut held = Vec::new();
                for key in connection.keys(format!("{TRIES}*")).await? {
                    let item = key.trim_start_matches(TRIES).to_owned();
                    let holder = holder_in_redis(connection, &item).await?;
                    let is_its = |holder: Holder| {
                        holder.state == "running" && holder.worker.as_deref() == Some(worker)
                    };
                    if holder.is_some_and(is_its) {
                        held.push(item);
                    }
                }
                Ok(held)
            }
        }
    }

    /// Who has an item; `None` once it has ended.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn holder(&mut self, item: &str) -> anyhow::Result<Option<Holder>> {
        match self {
            Self::Sqlite(path) => {
                let (job, index) = item.split_once('.').context("an item")?;
                let sql = "SELECT state, worker FROM items WHERE lower(hex(job)) = ?1 AND idx = ?2";
                let key = params![job.replace('-', ""), index.parse::<u32>()?];
                let read = |row: &rusqlite::Row<'_>| {
                    Ok(Holder { state: row.get(0)?, worker: row.get(1)? })
                };
                Ok(open(path)?.query_row(sql, key, read).optional()?)
            }
            Self::Redis(connection) => holder_in_redis(connection, item).await,
        }
    }
}

fn open(path: &PathBuf) -> anyhow::Result<Connection> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    db.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(db)
}

async fn holder_in_redis(
    connection: &mut redis::aio::MultiplexedConnection,
    item: &str,
) -> anyhow::Result<Option<Holder>> {
    let mut get = redis::cmd("HMGET");
    get.arg(format!("{TRIES}{item}")).arg("state").arg("worker");
    let (state, worker): (Option<String>, Option<String>) = get.query_async(connection).await?;
    Ok(state.map(|state| Holder { state, worker }))
}

/// A UUID's 32 digits as it is written.
fn hyphenated(digits: &str) -> String {
    let part = |from: usize, to: usize| &digits[from..to];
    let parts = [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)];
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_id_is_written_as_the_service_writes_it() {
        let id = uuid::Uuid::now_v7();
        assert_eq!(hyphenated(&id.simple().to_string()), id.to_string());
    }
}
