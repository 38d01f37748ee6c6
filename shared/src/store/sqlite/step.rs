//! What a step works with: the open transaction, the time, and a note of
//! whom to wake once it is committed.

use rusqlite::Connection;

use super::time::Moment;
use crate::domain::{JobId, ModelName};
use crate::store::Wakers;
use crate::store::ended::JobEnd;

/// One transition inside the writer's transaction. It either keeps all it
/// wrote or, by returning an error, nothing.
pub(super) struct Step<'a> {
    /// The connection, inside a transaction and a savepoint.
    pub(super) db: &'a Connection,
    /// When the transaction began.
    pub(super) now: Moment<'a>,
    /// Filled by the step.
    pub(super) changes: Changes,
}

/// Whom a step concerns.
#[derive(Debug, Default)]
pub(super) struct Changes {
    jobs: Vec<JobId>,
    over: Vec<JobId>,
    work: Vec<ModelName>,
    ended: Vec<JobEnd>,
    deliveries: bool,
}

impl Changes {
    /// A reader of the job sees something new.
    pub(super) fn job(&mut self, id: JobId) {
        if self.jobs.last() != Some(&id) {
            self.jobs.push(id);
        }
    }

    /// A claim for the model may succeed.
    pub(super) fn work(&mut self, model: ModelName) {
        if self.work.last() != Some(&model) {
            self.work.push(model);
        }
    }

    /// A job has ended.
    pub(super) fn ended(&mut self, id: JobId, job: JobEnd) {
        self.ended.push(job);
        self.over.push(id);
    }

    /// A job is gone.
    pub(super) fn removed(&mut self, id: JobId) {
        self.over.push(id);
    }

    /// A claim of deliveries may succeed.
    pub(super) fn delivery(&mut self) {
        self.deliveries = true;
    }

    /// Takes over what another step noted.
    pub(super) fn append(&mut self, mut other: Self) {
        self.jobs.append(&mut other.jobs);
        self.over.append(&mut other.over);
        self.work.append(&mut other.work);
        self.ended.append(&mut other.ended);
        self.deliveries |= other.deliveries;
    }

    /// Whether some of it may be told only once it is on disk: what has ended may not
    /// come back.
    pub(super) fn lasting(&self) -> bool {
        !self.over.is_empty() || self.deliveries
    }

    /// Wakes those who look for work.
    pub(super) fn tell_work(&mut self, wakers: &Wakers) {
        for model in self.work.drain(..) {
            wakers.work_arrived(&model);
        }
    }

    /// Wakes everyone concerned, and counts what has ended.
    pub(super) fn tell(&mut self, wakers: &Wakers) {
        self.tell_work(wakers);
        self.ended.drain(..).for_each(JobEnd::report);
        for job in &self.jobs {
            wakers.job_changed(job);
        }
        for job in &self.over {
            wakers.job_ended(job);
        }
        if self.deliveries {
            wakers.deliveries_arrived();
        }
    }
}
