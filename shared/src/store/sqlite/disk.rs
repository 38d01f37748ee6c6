//! The database's disk: a reserve that intake leaves alone, and a ballast to
//! throw off when the disk is full all the same, so that the work that is
//! there can still be ended and recorded.
//!
//! The ballast is a file beside the database, and tells every process how
//! things stand: while it is empty, it has been thrown off, and nothing more
//! is taken in. Where it could never be made, the reserve alone counts.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, ffi};
use rustix::fs::{FallocateFlags, fallocate};

use super::open::beside;
use crate::disk::{Reserve, Space};
use crate::store::{Resource, StoreError};

/// A full disk does not empty within a second.
pub(super) const FULL_RETRY: Duration = Duration::from_secs(10);

/// The disk below a database.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    folder: PathBuf,
    ballast: PathBuf,
    bytes: u64,
    reserve: Reserve,
}

impl Disk {
    /// The disk of a database file, with a ballast of so many bytes; none
    /// where that is 0.
    pub(super) fn of(database: &Path, reserve: Reserve, bytes: u64) -> Self {
        let folder = match database.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            Some(_) | None => PathBuf::from("."),
        };
        Self { folder, ballast: beside(database, ".ballast"), bytes, reserve }
    }

    /// The bytes of the ballast that is there, if there ever was one.
    fn aboard(&self) -> Option<u64> {
        fs::metadata(&self.ballast).ok().map(|file| file.len())
    }

    /// Refuses intake while there is too little room, or the ballast is gone.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let breach = self.reserve.breach(&self.folder).map_err(StoreError::unavailable)?;
        let gone = (self.bytes > 0 && self.aboard() == Some(0))
            .then(|| "the disk was full, and its ballast is not back".to_owned());
        match breach.or(gone) {
            None => Ok(()),
            Some(detail) => Err(StoreError::Exhausted {
                resource: Resource::Disk,
                detail,
                retry_after: FULL_RETRY,
            }),
        }
    }

    /// Takes the ballast on board, where there is none and room enough.
    pub(super) fn load(&self) -> io::Result<()> {
        let Space { free, total } = Space::of(&self.folder)?;
        let needed = self.reserve.of(total).saturating_add(self.bytes);
        let aboard = self.aboard().is_some_and(|bytes| bytes > 0);
        if self.bytes == 0 || aboard || free < needed {
            return Ok(());
        }
        // Under another name first: half a ballast must not look like one.
        let partial = beside(&self.ballast, ".partial");
        let made = File::create(&partial)
            .and_then(|file| Ok(fallocate(file, FallocateFlags::empty(), 0, self.bytes)?))
            .and_then(|()| fs::rename(&partial, &self.ballast));
        if made.is_err() {
            // Why it could not be made matters more.
            let _ = fs::remove_file(&partial);
        }
        made
    }

    /// Throws the ballast off when the disk is full, and moves the write-ahead
    /// log into the database, which frees the log's own room.
    pub(super) fn relieve(&self, db: &Connection) {
        if self.aboard().is_some_and(|bytes| bytes > 0) {
            match File::options().write(true).truncate(true).open(&self.ballast) {
                Ok(_) => tracing::error!(
                    "the disk of the database is full: the ballast is thrown off, work that is \
                     there goes on, and no job is taken in until there is room"
                ),
                Err(error) => tracing::error!(%error, "the ballast cannot be thrown off"),
            }
        }
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        if let Err(error) = db.query_row(checkpoint, [], |_| Ok(())) {
            tracing::warn!(%error, "the write-ahead log cannot be emptied yet");
        }
    }
}

/// Whether an error says that the disk is full: also when the index of the
/// write-ahead log cannot grow.
pub(super) fn is_full(error: &rusqlite::Error) -> bool {
    let extended = error.sqlite_error().map(|error| error.extended_code);
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
        || extended == Some(ffi::SQLITE_IOERR_SHMSIZE)
}

#[cfg(test)]
mod tests;
