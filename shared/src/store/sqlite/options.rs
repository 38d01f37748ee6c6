//! How a SQLite store is set up.

use std::path::PathBuf;

use crate::clock::Clock;

/// How to open a SQLite store.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The database file; made when absent, as are its folders. Beside it
    /// stand SQLite's own `-wal` and `-shm`, `.lock` and the folder `.workers`.
    pub path: PathBuf,
    /// Items that may be live at once.
    pub max_live_items: u64,
    /// Where the time comes from.
    pub clock: Clock,
}
