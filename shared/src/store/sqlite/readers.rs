//! Connections that only read. A reader sees every commit that was answered
//! before it began, and never waits for the writer.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::open::open_reader;
use crate::store::StoreError;

/// Reads at once at most.
const READERS: usize = 4;

/// A small pool; connections are opened when first needed and kept.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    /// A pool for the file.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, idle: Arc::default(), permits: Arc::new(Semaphore::new(READERS)) }
    }

    /// Reads off the async threads, in one snapshot.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permits = Arc::clone(&self.permits);
        let permit = permits.acquire_owned().await.map_err(StoreError::unavailable)?;
        let idle = Arc::clone(&self.idle);
        let path = self.path.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let kept = lock(&idle).pop();
            let db = match kept {
                Some(db) => db,
                None => open_reader(&path)?,
            };
            let snapshot = db.unchecked_transaction()?;
            let result = work(&snapshot);
            snapshot.finish()?;
            lock(&idle).push(db);
            drop(permit);
            result
        });
        reading.await.map_err(StoreError::unavailable)?
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
