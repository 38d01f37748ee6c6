//! Which workers are alive, by the kernel's word: each holds a lock on a file
//! of its own for as long as its process lives. Who gets a worker's lock
//! knows that it is dead, at once and without a doubt, where a lease that ran
//! out may only mean that a worker was paused.
//!
//! Two must never own one worker's lock. So a file is removed only by the
//! owner of its lock, and a lock counts only when the file is still the one
//! that stands at the path.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::WorkerId;

/// The locks in one folder, and those of this process's own workers.
#[derive(Debug)]
pub(super) struct WorkerLocks {
    folder: PathBuf,
    own: Mutex<HashMap<WorkerId, File>>,
}

/// A worker that has died; its lock is held by us from here on.
#[derive(Debug)]
pub(super) struct DeadWorker {
    pub(super) id: WorkerId,
    path: PathBuf,
    _lock: File,
}

impl DeadWorker {
    /// Removes the lock file: nothing more is to be done for this worker.
    pub(super) fn forget(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

impl WorkerLocks {
    /// Locks in that folder, which is made when absent.
    pub(super) fn new(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, own: Mutex::default() })
    }

    /// Takes the worker's lock and keeps it. `false` when another has it.
    pub(super) fn hold(&self, worker: &WorkerId) -> io::Result<bool> {
        let mut own = self.own();
        if own.contains_key(worker) {
            return Ok(true);
        }
        let path = self.folder.join(format!("{worker}.lock"));
        let lock = own_lock(&path, File::options().create(true).truncate(false).write(true))?;
        Ok(match lock {
            Some(lock) => {
                own.insert(worker.clone(), lock);
                true
            }
            None => false,
        })
    }

    /// Gives the worker's lock up. What it still held is taken back.
    pub(super) fn release(&self, worker: &WorkerId) {
        self.own().remove(worker);
    }

    /// Every worker whose lock file stands there with nobody holding it.
    pub(super) fn dead(&self) -> io::Result<Vec<DeadWorker>> {
        let mut dead = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let Some(id) = worker_of(&path) else { continue };
            if let Some(lock) = own_lock(&path, File::options().write(true))? {
                dead.push(DeadWorker { id, path, _lock: lock });
            }
        }
        Ok(dead)
    }

    fn own(&self) -> MutexGuard<'_, HashMap<WorkerId, File>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn worker_of(path: &Path) -> Option<WorkerId> {
    path.file_name()?.to_str()?.strip_suffix(".lock")?.parse().ok()
}

/// The lock of the file at that path; `None` when another has it or there is
/// no file and none is to be made.
fn own_lock(path: &Path, how: &fs::OpenOptions) -> io::Result<Option<File>> {
    loop {
        let file = match how.open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            Ok(()) if stands_at(&file, path)? => return Ok(Some(file)),
            // Removed between opening and locking: look again.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

fn stands_at(file: &File, path: &Path) -> io::Result<bool> {
    let held = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (held.dev(), held.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locks(folder: &Path) -> WorkerLocks {
        WorkerLocks::new(folder.join("workers")).unwrap()
    }

    #[test]
    fn a_live_worker_is_not_dead_even_to_its_own_process() {
        let folder = tempfile::tempdir().unwrap();
        let worker = WorkerId::generate();
        let (here, there) = (locks(folder.path()), locks(folder.path()));
        assert!(here.hold(&worker).unwrap());
        assert!(here.hold(&worker).unwrap(), "a heartbeat holds on");
        assert!(!there.hold(&worker).unwrap(), "one owner only");
        assert!(here.dead().unwrap().is_empty());
        assert!(there.dead().unwrap().is_empty());
    }

    #[test]
    fn a_worker_whose_process_ended_is_dead_once() {
        let folder = tempfile::tempdir().unwrap();
        let worker = WorkerId::generate();
        let (gone, there) = (locks(folder.path()), locks(folder.path()));
        assert!(gone.hold(&worker).unwrap());
        drop(gone);
        let mut dead = there.dead().unwrap();
        assert_eq!(dead.len(), 1);
        assert!(locks(folder.path()).dead().unwrap().is_empty(), "its lock is ours now");
        let found = dead.remove(0);
        assert_eq!(found.id, worker);
        found.forget().unwrap();
        assert!(there.dead().unwrap().is_empty(), "and is forgotten");
    }

    #[test]
    fn a_lock_on_a_removed_file_owns_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.lock");
        let removed = File::create(&path).unwrap();
        removed.try_lock().unwrap();
        fs::remove_file(&path).unwrap();
        assert!(!stands_at(&removed, &path).unwrap());
        let create = File::options().create(true).truncate(false).write(true).clone();
        assert!(own_lock(&path, &create).unwrap().is_some(), "a new file is a new lock");
        assert!(!stands_at(&removed, &path).unwrap());
    }
}
