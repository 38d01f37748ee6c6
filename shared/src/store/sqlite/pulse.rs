//! A health check that proves something: what is written is read back.

use rusqlite::Connection;

use super::step::Step;
use crate::store::StoreError;

/// Counts one more beat.
pub(super) fn beat(step: &Step<'_>) -> Result<u64, StoreError> {
    let mut update = step
        .db
        .prepare_cached("UPDATE pulse SET beats = beats + 1 WHERE id = 1 RETURNING beats")?;
    Ok(update.query_row([], |row| row.get(0))?)
}

/// Sees that beat, or a later one.
pub(super) fn confirm(db: &Connection, written: u64) -> Result<(), StoreError> {
    let mut select = db.prepare_cached("SELECT beats FROM pulse WHERE id = 1")?;
    let read: u64 = select.query_row([], |row| row.get(0))?;
    if read >= written {
        Ok(())
    } else {
        Err(StoreError::Corrupt("a committed write cannot be read back".to_owned()))
    }
}
