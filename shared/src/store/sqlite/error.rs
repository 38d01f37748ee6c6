//! SQLite's errors in the store's words.

use rusqlite::ErrorCode;

use super::disk::{FULL_RETRY, is_full};
use crate::store::{Resource, StoreError};

impl From<&rusqlite::Error> for StoreError {
    fn from(error: &rusqlite::Error) -> Self {
        let damaged = [
            ErrorCode::DatabaseCorrupt,
            ErrorCode::NotADatabase,
            // Constraints hold what the steps rely on; none breaks one.
            ErrorCode::ConstraintViolation,
        ];
        match error.sqlite_error_code() {
            // A column that does not hold what the schema says.
            None => Self::Corrupt(error.to_string()),
            Some(code) if damaged.contains(&code) => Self::Corrupt(error.to_string()),
            Some(_) if is_full(error) => Self::Exhausted {
                resource: Resource::Disk,
                detail: "the disk of the database is full".to_owned(),
                retry_after: FULL_RETRY,
            },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::unavailable("another process holds the database for too long")
            }
            Some(_) => Self::unavailable(error),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::from(&error)
    }
}
