//! The one thread that waits for the disk.
//!
//! The writer goes on meanwhile: what it has committed can be seen and worked on at
//! once, and is answered here when it would outlast a loss of power. One wait serves
//! all that was committed before it began.
//!
//! SQLite itself does not sync a commit (`PRAGMA synchronous = NORMAL`), only the log
//! before it moves it into the database; so a commit is either in the log, which is
//! synced here, or in a database that SQLite has synced.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use super::batch::Unsynced;
use super::open::beside;
use crate::store::{StoreError, Wakers};

/// Has the disk take all that was committed. Blocks for as long as it takes.
pub(super) type LogSync = Box<dyn FnMut() -> io::Result<()> + Send>;

/// The syncs of a database's write-ahead log. SQLite must have it open, and locks
/// another file, so that this one may be opened beside it.
///
/// # Errors
/// When it cannot be opened.
pub(super) fn log_of(database: &Path) -> Result<LogSync, StoreError> {
    let log = beside(database, "-wal");
    let file = File::options()
        .write(true)
        .open(&log)
        .map_err(|error| StoreError::Config(format!("cannot open {}: {error}", log.display())))?;
    Ok(Box::new(move || file.sync_data()))
}

/// The handle of the thread. Dropping it ends the thread, after all is on disk that
/// was handed over.
pub(super) struct Syncer {
    unsynced: Option<Sender<Unsynced>>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    /// Starts the thread.
    pub(super) fn start(sync: LogSync, wakers: Arc<Wakers>) -> Result<Self, StoreError> {
        let (unsynced, waiting) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("sqlite-syncer".to_owned())
            .spawn(move || run(sync, &wakers, &waiting))
            .map_err(|error| StoreError::Config(format!("no thread for the syncer: {error}")))?;
        Ok(Self { unsynced: Some(unsynced), thread: Some(thread) })
    }

    /// Has committed steps synced where anything was written, and then told, after
    /// all that was handed over before them. `false` when the disk has failed, and
    /// nothing is told any more.
    pub(super) fn sync(&self, unsynced: Unsynced) -> bool {
        self.unsynced.as_ref().is_some_and(|syncer| syncer.send(unsynced).is_ok())
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.unsynced = None;
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has been reported by its own hook.
            let _ = thread.join();
        }
    }
}

/// Ends when nothing more is handed over, or when the disk fails: what a failed sync
/// left out, a later one does not bring, and says nothing of it.
fn run(mut sync: LogSync, wakers: &Wakers, waiting: &Receiver<Unsynced>) {
    while let Ok(mut unsynced) = waiting.recv() {
        waiting.try_iter().for_each(|more| unsynced.append(more));
        if unsynced.written
            && let Err(error) = sync()
        {
            tracing::error!(
                %error, "the disk of the database has failed: nothing is taken in or recorded \
                 before a restart"
            );
            unsynced.fail(&error);
            return;
        }
        unsynced.tell(wakers);
    }
}
