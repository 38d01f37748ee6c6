//! How a SQLite store is set up.

use std::path::PathBuf;

use crate::clock::Clock;
use crate::disk::Reserve;
use crate::store::StoreLimits;

/// How to open a SQLite store.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The database file; made when absent, as are its folders. Beside it
    /// stand SQLite's own `-wal` and `-shm`, `.lock`, `.ballast` and the folder
    /// `.workers`.
    pub path: PathBuf,
    /// What it may hold.
    pub limits: StoreLimits,
    /// What intake leaves free on its disk.
    pub reserve: Reserve,
    /// Bytes of the ballast, a file that is emptied when the disk is full, so
    /// that work can still end; 0 for none.
    pub ballast: u64,
    /// Where the time comes from.
    pub clock: Clock,
}
