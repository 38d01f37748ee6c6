//! The one thread that writes. It owns the only connection that may, takes
//! every command that waits as one group, and so needs no lock against
//! itself; against other processes SQLite's own lock serves. It waits for no disk:
//! the syncer does, and answers what is to be on it.
//!
//! Between groups it looks whether another process has changed the file, and
//! wakes this process's waiters when so.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::batch::{self, Command, Taken};
use super::disk::Disk;
use super::step::Step;
use super::syncer::{LogSync, Syncer};
use super::time::StoreClock;
use crate::store::{StoreError, Wakers};

/// Commands that share one commit at most.
const GROUP: usize = 256;

/// How soon a change by another process is looked for, after one was seen…
const LOOK_SOONEST: Duration = Duration::from_millis(5);

/// …and when there was none for a while.
const LOOK_LATEST: Duration = Duration::from_millis(50);

/// Commands that wait for others to come along with.
type Along = Arc<Mutex<Vec<Command>>>;

/// The handle of the writer's thread. Dropping it ends the thread, after the
/// commands that wait.
pub(super) struct Writer {
    commands: Option<Sender<Command>>,
    along: Along,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(
        db: Connection,
        clock: StoreClock,
        wakers: Arc<Wakers>,
        disk: Disk,
        sync: LogSync,
    ) -> Result<Self, StoreError> {
        let (commands, waiting) = mpsc::channel();
        let seen = data_version(&db)?;
        let syncer = Syncer::start(sync, Arc::clone(&wakers))?;
        let along = Along::default();
        let waits = Arc::clone(&along);
        let loop_ = Loop {
            syncer,
            db,
            clock,
            wakers,
            disk,
            waiting,
            along: waits,
            seen,
            unsynced: true,
            look_after: LOOK_SOONEST,
        };
        let thread = thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || loop_.run())
            .map_err(|error| StoreError::Config(format!("no thread for the writer: {error}")))?;
        Ok(Self { commands: Some(commands), along, thread: Some(thread) })
    }

    /// Takes a step and answers once it is on disk.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Step<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.send(true, work).await
    }

    /// Takes a step and answers once all can see it. A loss of power may take it
    /// back, unless what is written later has reached the disk.
    pub(super) async fn write_unsynced<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Step<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.send(false, work).await
    }

    async fn send<T: Send + 'static>(
        &self,
        lasting: bool,
        work: impl FnOnce(&mut Step<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (command, answered) = command(lasting, work);
        self.commands.as_ref().ok_or_else(stopped)?.send(command).map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }

    /// Takes a step together with the next that comes, so that it costs no
    /// commit of its own; alone when none comes for as long as the writer
    /// looks around. A loss of power may take it back.
    pub(super) async fn write_along<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Step<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            return Err(stopped());
        }
        let (command, answered) = command(false, work);
        lock(&self.along).push(command);
        answered.await.map_err(|_| stopped())?
    }
}

/// A step as the thread takes it, and where its answer comes.
fn command<T: Send + 'static>(
    lasting: bool,
    work: impl FnOnce(&mut Step<'_>) -> Result<T, StoreError> + Send + 'static,
) -> (Command, oneshot::Receiver<Result<T, StoreError>>) {
    let (reply, answered) = oneshot::channel();
    let command: Command = Box::new(move |step| {
        let result = step.and_then(work);
        Taken {
            keep: result.is_ok(),
            lasting,
            answer: Box::new(move |committed| {
                // A caller that has gone wants no answer.
                let _ = reply.send(result.and_then(|value| committed.map(|()| value)));
            }),
        }
    });
    (command, answered)
}

fn stopped() -> StoreError {
    StoreError::unavailable("the writer's thread has stopped")
}

fn lock(along: &Along) -> MutexGuard<'_, Vec<Command>> {
    along.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has been reported by its own hook.
            let _ = thread.join();
        }
    }
}

struct Loop {
    // Dropped before the connection, which as the last to close removes the log.
    syncer: Syncer,
    db: Connection,
    clock: StoreClock,
    wakers: Arc<Wakers>,
    disk: Disk,
    waiting: Receiver<Command>,
    along: Along,
    /// The file's version when another connection's commits were last looked for.
    seen: i64,
    /// Whether anyone may have committed what no sync was asked for yet; at first,
    /// who was here before.
    unsynced: bool,
    look_after: Duration,
}

impl Loop {
    fn run(mut self) {
        let mut goes_on = true;
        while goes_on {
            match self.waiting.recv_timeout(self.look_after) {
                Ok(first) => goes_on = self.commit(Some(first)),
                Err(RecvTimeoutError::Timeout) => {
                    self.look_after = (self.look_after * 2).min(LOOK_LATEST);
                    goes_on = self.commit(None);
                }
                Err(RecvTimeoutError::Disconnected) => {
                    self.commit(None);
                    goes_on = false;
                }
            }
        }
    }

    /// Commits a command with all that wait, and with those that come along;
    /// without one, the latter alone. Wakes whom other processes' commits concern.
    /// `false` when the disk has failed.
    fn commit(&mut self, first: Option<Command>) -> bool {
        let mut group: Vec<Command> = first.into_iter().collect();
        group.extend(self.waiting.try_iter().take(GROUP - 1));
        group.append(&mut lock(&self.along));
        if group.is_empty() {
            self.look();
            return true;
        }
        let before = self.db.total_changes();
        let committed = batch::commit(&self.db, &self.clock, group);
        if committed.disk_full {
            // Before anyone is answered: who tries again finds room.
            self.disk.relieve(&self.db);
        }
        self.unsynced |= self.db.total_changes() != before;
        // The steps may have seen what another process has not synced yet.
        self.look();
        let Some(mut rest) = committed.tell(&self.wakers) else { return true };
        rest.written = std::mem::take(&mut self.unsynced);
        self.syncer.sync(rest)
    }

    /// Notes and tells what another connection has committed since the last look.
    /// Its own commits do not count, which is why the writer itself looks.
    fn look(&mut self) {
        // A file that cannot be read now fails the next command, with a caller to
        // tell; until then it may hold anything.
        let version = data_version(&self.db).ok();
        self.unsynced |= version != Some(self.seen);
        if let Some(version) = version.filter(|version| *version != self.seen) {
            self.seen = version;
            self.look_after = LOOK_SOONEST;
            self.wakers.any_job_changed();
            self.wakers.any_work_arrived();
            self.wakers.deliveries_arrived();
        }
    }
}

fn data_version(db: &Connection) -> Result<i64, StoreError> {
    Ok(db.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
}

#[cfg(test)]
mod tests;
