//! SQLite's errors in the store's words.

use std::time::Duration;

use rusqlite::ErrorCode;

use crate::store::StoreError;

/// A full disk does not empty within a second.
const DISK_FULL_RETRY: Duration = Duration::from_secs(10);

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
            Some(ErrorCode::DiskFull) => Self::Unavailable {
                detail: "the disk of the database is full".to_owned(),
                retry_after: DISK_FULL_RETRY,
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
