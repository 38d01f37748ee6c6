//! The embedded store: one SQLite file, shared by the processes of one host.

use crate::clock::Clock;
use std::path::PathBuf;

/// How to open a SQLite store.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The database file; made when absent, as are its folders.
    pub path: PathBuf,
    /// Items that may be live at once.
    pub max_live_items: u64,
    /// Where the time comes from.
    pub clock: Clock,
}

/// Jobs in a SQLite file.
#[derive(Debug)]
pub struct SqliteStore {}
