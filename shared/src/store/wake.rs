//! Waking those who wait, inside one process. Both backends feed it: what
//! changed here directly, what changed elsewhere by their own means.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::domain::{JobId, ModelName};

/// Delayed items come due unannounced, and news from other processes may be
/// missed, so no wait for work or deliveries is longer.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Who waits for what.
#[derive(Debug, Default)]
pub struct Wakers {
    jobs: Mutex<HashMap<JobId, watch::Sender<()>>>,
    work: Mutex<HashMap<ModelName, Arc<Notify>>>,
    deliveries: Notify,
}

impl Wakers {
    /// Begins to watch a job.
    pub fn watch(&self, id: &JobId) -> JobWatch {
        let mut jobs = lock(&self.jobs);
        // Senders whose watchers have all gone are swept when the map has grown.
        if jobs.len() >= 64 && jobs.len().is_power_of_two() {
            jobs.retain(|_, sender| sender.receiver_count() > 0);
        }
        let sender = jobs.entry(*id).or_insert_with(|| watch::channel(()).0);
        JobWatch(sender.subscribe())
    }

    /// Whether anyone watches any job.
    pub fn has_watchers(&self) -> bool {
        lock(&self.jobs).values().any(|sender| sender.receiver_count() > 0)
    }

    /// Wakes those who watch the job.
    pub fn job_changed(&self, id: &JobId) {
        let mut jobs = lock(&self.jobs);
        if jobs.get(id).is_some_and(|sender| sender.send(()).is_err()) {
            jobs.remove(id);
        }
    }

    /// Wakes everyone who watches any job: something changed, unknown what.
    pub fn any_job_changed(&self) {
        lock(&self.jobs).retain(|_, sender| sender.send(()).is_ok());
    }

    /// Wakes one who waits for the model's work.
    pub fn work_arrived(&self, model: &ModelName) {
        self.work_notify(model).notify_one();
    }

    /// Wakes one waiter of each model: something arrived, unknown what.
    pub fn any_work_arrived(&self) {
        for notify in lock(&self.work).values() {
            notify.notify_one();
        }
    }

    /// Waits for the model's work.
    pub async fn wait_for_work(&self, model: &ModelName, timeout: Duration) {
        let notify = self.work_notify(model);
        // Waking falsely or late is allowed, so how the wait ended is no matter.
        let _ = tokio::time::timeout(timeout.min(LONGEST_WAIT), notify.notified()).await;
    }

    /// Wakes one who waits for deliveries.
    pub fn deliveries_arrived(&self) {
        self.deliveries.notify_one();
    }

    /// Waits for deliveries.
    pub async fn wait_for_deliveries(&self, timeout: Duration) {
        let arrived = self.deliveries.notified();
        let _ = tokio::time::timeout(timeout.min(LONGEST_WAIT), arrived).await;
    }

    fn work_notify(&self, model: &ModelName) -> Arc<Notify> {
        let mut work = lock(&self.work);
        Arc::clone(work.entry(model.clone()).or_default())
    }
}

/// A watch over one job.
#[derive(Debug)]
pub struct JobWatch(watch::Receiver<()>);

impl JobWatch {
    /// Returns when the job may have changed since the last call (or since
    /// the watch was taken), or after `timeout`.
    pub async fn changed(&mut self, timeout: Duration) {
        let ended = tokio::time::timeout(timeout, self.0.changed()).await;
        if matches!(ended, Ok(Err(_))) {
            // The sender is gone: sleeping keeps a caller's loop from spinning.
            tokio::time::sleep(timeout).await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
