//! The verbs of [`Store`] over SQLite: prepare outside the writer, step
//! inside it, read beside it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;

use super::admission::Gate;
use super::disk::Disk;
use super::ending::Ending;
use super::intake::{self, JobRow, rows};
use super::liveness::{DeadWorker, WorkerLocks};
use super::models::{self, Announcement};
use super::open::{beside, open_writer};
use super::options::SqliteOptions;
use super::readers::Readers;
use super::step::Step;
use super::syncer::{LogSync, log_of};
use super::time::StoreClock;
use super::writer::Writer;
use super::{cache, cancel, claim, hold, lookup, overview, pulse, reap, removal, webhooks};
use crate::domain::{
    AnnouncedModel, ItemError, ItemOutcome, ItemResult, JobId, ModelName, NewItem, NewJob,
    TenantId, WorkerCard, WorkerId,
};
use crate::store::{
    Canceled, ClaimRequest, Claimed, DeadLetter, Deleted, Enqueued, Extended, Found, JobFilter,
    JobPage, JobWatch, Lease, ListPosition, Reaped, Recorded, Retried, Stats, Store, StoreError,
    Swept, Wakers, check_route,
};

/// A reaper looks at a lock for an instant; a worker that finds its own taken
/// tries again this often…
const LOCK_TRIES: u32 = 50;

/// …and waits this long between.
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Steps in which one sweep forgets deliveries.
const DELIVERY_STEPS_PER_SWEEP: usize = 20;

/// Jobs in a SQLite file. Dropping it ends its thread and closes the file.
pub struct SqliteStore {
    path: PathBuf,
    pub(super) gate: Arc<Gate>,
    pub(super) clock: StoreClock,
    pub(super) wakers: Arc<Wakers>,
    locks: Arc<WorkerLocks>,
    // Dropped before the writer, which as the last to close tidies the file.
    pub(super) readers: Readers,
    pub(super) writer: Writer,
}

impl SqliteStore {
    /// Opens the store, making the file where there is none. Blocks for as
    /// long as the disk takes.
    ///
    /// # Errors
    /// [`StoreError::Config`] when the file cannot be made or opened, lies on
    /// a network file system, was written by a newer release or belongs to
    /// another program.
    pub fn open(options: SqliteOptions) -> Result<Self, StoreError> {
        let clock = StoreClock::of_this_boot(options.clock.clone())?;
        Self::open_with(options, clock, log_of)
    }

    /// Opens it with a clock, and with what syncs a database.
    pub(super) fn open_with(
        options: SqliteOptions,
        clock: StoreClock,
        sync_of: impl FnOnce(&Path) -> Result<LogSync, StoreError>,
    ) -> Result<Self, StoreError> {
        let SqliteOptions { path, limits, reserve, ballast, clock: _ } = options;
        let db = open_writer(&path)?;
        let disk = Disk::of(&path, reserve, ballast);
        load(&disk);
        let locks = beside(&path, ".workers");
        let locks = WorkerLocks::new(locks).map_err(|error| {
            StoreError::Config(format!("cannot make the workers' locks: {error}"))
        })?;
        let wakers = Arc::new(Wakers::default());
        let sync = sync_of(&path)?;
        let writer = Writer::start(db, clock.clone(), Arc::clone(&wakers), disk.clone(), sync)?;
        let readers = Readers::new(path.clone());
        let gate = Arc::new(Gate { limits, disk });
        Ok(Self { path, gate, clock, wakers, locks: Arc::new(locks), readers, writer })
    }

    /// Takes a step, for the verbs that stand in files of their own.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Step<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.write(work).await
    }

    /// Takes a step that a loss of power may take back, until what is written after it
    /// has reached the disk.
    pub(super) async fn write_unsynced<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Step<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.write_unsynced(work).await
    }

    /// Reads, for the verbs that stand in files of their own.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.readers.read(work).await
    }

    /// Works with the lock files, off the async threads.
    async fn with_locks<T: Send + 'static>(
        &self,
        work: impl FnOnce(&WorkerLocks) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let locks = Arc::clone(&self.locks);
        let worked = tokio::task::spawn_blocking(move || work(&locks)).await;
        worked.map_err(StoreError::unavailable)?.map_err(StoreError::unavailable)
    }

    /// Forgets deliveries, a part of them in each step.
    async fn forget_deliveries(&self) -> Result<(), StoreError> {
        for _ in 0..DELIVERY_STEPS_PER_SWEEP {
            let forgotten = self.writer.write(|step| webhooks::forget(step)).await?;
            if forgotten < webhooks::FORGOTTEN_PER_STEP {
                break;
            }
        }
        Ok(())
    }

    async fn hold_lock(&self, worker: &WorkerId) -> Result<(), StoreError> {
        for _ in 0..LOCK_TRIES {
            let id = worker.clone();
            if self.with_locks(move |locks| locks.hold(&id)).await? {
                return Ok(());
            }
            tokio::time::sleep(LOCK_PAUSE).await;
        }
        Err(StoreError::Invalid("another process has announced a worker of that id"))
    }
}

/// Takes the ballast on board. Without it the store works as long as the disk
/// has room.
fn load(disk: &Disk) {
    if let Err(error) = disk.load() {
        tracing::warn!(%error, "the ballast beside the database cannot be made");
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn enqueue(&self, job: &NewJob, items: &[NewItem]) -> Result<Enqueued, StoreError> {
        check_route(job)?;
        let (row, items, gate) = (JobRow::new(job)?, rows(items)?, Arc::clone(&self.gate));
        self.writer.write(move |step| intake::enqueue(step, &row, &items, &gate)).await
    }

    async fn open(&self, job: &NewJob, total: u32) -> Result<Enqueued, StoreError> {
        check_route(job)?;
        let (row, gate) = (JobRow::new(job)?, Arc::clone(&self.gate));
        self.writer.write_unsynced(move |step| intake::open(step, &row, total, &gate)).await
    }

    async fn append(&self, job: &JobId, first: u32, items: &[NewItem]) -> Result<(), StoreError> {
        let (id, items) = (*job, rows(items)?);
        self.writer.write_unsynced(move |step| intake::append(step, &id, first, &items)).await
    }

    async fn seal(&self, job: &JobId) -> Result<(), StoreError> {
        let id = *job;
        self.writer.write(move |step| intake::seal(step, &id)).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
        let request = request.clone();
        self.writer.write_unsynced(move |step| claim::claim(step, &request)).await
    }

    async fn wait_for_work(&self, model: &ModelName, timeout: Duration) {
        self.wakers.wait_for_work(model, timeout).await;
    }

    async fn extend(&self, held: &[Lease], by: Duration) -> Result<Extended, StoreError> {
        let held = held.to_vec();
        self.writer.write_unsynced(move |step| hold::extend(step, &held, by)).await
    }

    async fn complete(
        &self,
        outcomes: &[(Lease, ItemOutcome)],
    ) -> Result<Vec<Recorded>, StoreError> {
        let endings =
            outcomes.iter().map(|(lease, outcome)| Ok((lease.clone(), Ending::new(outcome)?)));
        let endings = endings.collect::<Result<Vec<_>, StoreError>>()?;
        self.writer.write(move |step| hold::complete(step, &endings)).await
    }

    async fn retry(
        &self,
        lease: &Lease,
        after: Duration,
        error: &ItemError,
    ) -> Result<Retried, StoreError> {
        let (lease, error) = (lease.clone(), error.clone());
        self.writer.write(move |step| hold::retry(step, &lease, after, &error)).await
    }

    async fn release(&self, held: &[Lease]) -> Result<(), StoreError> {
        let held = held.to_vec();
        self.writer.write(move |step| hold::release(step, &held)).await
    }

    async fn reap(&self, limit: usize) -> Result<Reaped, StoreError> {
        let dead = self.with_locks(WorkerLocks::dead).await?;
        let ids: Vec<WorkerId> = dead.iter().map(|worker| worker.id.clone()).collect();
        let reaped = self.writer.write(move |step| reap::reap(step, &ids, limit)).await?;
        // Below the limit, nothing is left that the dead have held.
        if reap::count(&reaped) < limit && !dead.is_empty() {
            self.with_locks(move |_| dead.into_iter().try_for_each(DeadWorker::forget)).await?;
        }
        Ok(reaped)
    }

    async fn sweep(&self, limit: usize) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        loop {
            let left = limit - swept.expired.len() - swept.aborted.len();
            match self.writer.write(move |step| removal::sweep(step, left)).await {
                Ok(part) if part == Swept::default() => break,
                Ok(part) => {
                    swept.expired.extend(part.expired);
                    swept.aborted.extend(part.aborted);
                }
                // What is gone is told, for its blobs are to go too.
                Err(_) if swept != Swept::default() => return Ok(swept),
                Err(error) => return Err(error),
            }
        }
        self.writer.write(|step| removal::forget(step)).await?;
        self.writer.write(|step| cache::forget(step)).await?;
        let gate = Arc::clone(&self.gate);
        let loaded = tokio::task::spawn_blocking(move || load(&gate.disk)).await;
        loaded.map_err(StoreError::unavailable)?;
        self.forget_deliveries().await?;
        Ok(swept)
    }

    async fn find(&self, tenant: &TenantId, id: &JobId) -> Result<Found, StoreError> {
        let (tenant, id) = (tenant.clone(), *id);
        self.readers.read(move |db| lookup::find(db, &tenant, &id)).await
    }

    async fn find_ended(
        &self,
        tenant: &TenantId,
        id: &JobId,
        first: u32,
        limit: u32,
    ) -> Result<(Found, Vec<ItemResult>), StoreError> {
        let (tenant, id) = (tenant.clone(), *id);
        self.readers.read(move |db| lookup::find_ended(db, &tenant, &id, first, limit)).await
    }

    async fn results(
        &self,
        tenant: &TenantId,
        id: &JobId,
        first: u32,
        limit: u32,
    ) -> Result<Vec<ItemResult>, StoreError> {
        let (tenant, id) = (tenant.clone(), *id);
        self.readers.read(move |db| lookup::results(db, &tenant, &id, first, limit)).await
    }

    async fn list(
        &self,
        tenant: &TenantId,
        filter: &JobFilter,
        after: Option<ListPosition>,
        limit: usize,
    ) -> Result<JobPage, StoreError> {
        let (tenant, filter) = (tenant.clone(), filter.clone());
        self.readers.read(move |db| lookup::list(db, &tenant, &filter, after, limit)).await
    }

    async fn cancel(&self, tenant: &TenantId, id: &JobId) -> Result<Canceled, StoreError> {
        let (tenant, id) = (tenant.clone(), *id);
        self.writer.write(move |step| cancel::cancel(step, &tenant, &id)).await
    }

    async fn delete(&self, tenant: &TenantId, id: &JobId) -> Result<Deleted, StoreError> {
        let (tenant, id) = (tenant.clone(), *id);
        self.writer.write(move |step| removal::delete(step, &tenant, &id)).await
    }

    fn watch(&self, id: &JobId) -> JobWatch {
        self.wakers.watch(id)
    }

    fn watch_end(&self, id: &JobId) -> JobWatch {
        self.wakers.watch_end(id)
    }

    async fn announce(&self, worker: &WorkerCard, ttl: Duration) -> Result<(), StoreError> {
        self.hold_lock(&worker.id).await?;
        let news = Announcement::new(worker, ttl)?;
        self.writer.write_unsynced(move |step| models::announce(step, &news)).await
    }

    async fn retire(&self, worker: &WorkerId) -> Result<(), StoreError> {
        let id = worker.clone();
        self.writer.write(move |step| models::retire(step, &id)).await?;
        let id = worker.clone();
        self.with_locks(move |locks| {
            locks.release(&id);
            Ok(())
        })
        .await
    }

    async fn withdraw(&self, worker: &WorkerId, model: &ModelName) -> Result<(), StoreError> {
        let (worker, model) = (worker.clone(), model.clone());
        self.writer.write(move |step| models::withdraw(step, &worker, &model)).await
    }

    async fn models(&self) -> Result<Vec<AnnouncedModel>, StoreError> {
        let clock = self.clock.clone();
        self.readers.read(move |db| models::models(db, &clock.moment())).await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        self.readers.read(overview::stats).await
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        self.readers.read(move |db| overview::dead_letters(db, limit)).await
    }

    async fn existing(&self, ids: &[JobId]) -> Result<Vec<JobId>, StoreError> {
        let ids = ids.to_vec();
        self.readers.read(move |db| overview::existing(db, &ids)).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        let written = self.writer.write(|step| pulse::beat(step)).await?;
        self.readers.read(move |db| pulse::confirm(db, written)).await
    }
}

#[cfg(test)]
mod tests;
