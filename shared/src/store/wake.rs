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

/// What is told of a watched job: how often it has changed, and how often it may
/// have ended. Apart, so that who waits for the end sleeps until then.
#[derive(Debug, Default)]
struct News {
    changes: watch::Sender<u64>,
    ends: watch::Sender<u64>,
}

/// Who waits for what.
#[derive(Debug, Default)]
pub struct Wakers {
    jobs: Mutex<HashMap<JobId, News>>,
    work: Mutex<HashMap<ModelName, Arc<Notify>>>,
    deliveries: Notify,
}

impl News {
    fn changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn may_have_ended(&self) {
        self.changed();
        self.ends.send_modify(|ends| *ends += 1);
    }

    fn is_wanted(&self) -> bool {
        self.changes.receiver_count() > 0 || self.ends.receiver_count() > 0
    }
}

impl Wakers {
    /// Begins to watch a job for any change.
    pub fn watch(&self, id: &JobId) -> JobWatch {
        self.subscribe(id, |news| &news.changes)
    }

    /// Begins to watch a job for its end.
    pub fn watch_end(&self, id: &JobId) -> JobWatch {
        self.subscribe(id, |news| &news.ends)
    }

    fn subscribe(&self, id: &JobId, of: impl Fn(&News) -> &watch::Sender<u64>) -> JobWatch {
        let mut jobs = lock(&self.jobs);
        // News whose watchers have all gone are swept when the map has grown.
        if jobs.len() >= 64 && jobs.len().is_power_of_two() {
            jobs.retain(|_, news| news.is_wanted());
        }
        let news = of(jobs.entry(*id).or_default()).subscribe();
        let seen = *news.borrow();
        JobWatch { news, seen }
    }

    /// Whether anyone watches any job.
    pub fn has_watchers(&self) -> bool {
        lock(&self.jobs).values().any(News::is_wanted)
    }

    /// Wakes those who watch the job for any change.
    pub fn job_changed(&self, id: &JobId) {
        self.tell(id, News::changed);
    }

    /// Wakes all who watch the job: it has ended, or is gone.
    pub fn job_ended(&self, id: &JobId) {
        self.tell(id, News::may_have_ended);
    }

    /// Wakes everyone who watches any job: something changed, unknown what.
    pub fn any_job_changed(&self) {
        lock(&self.jobs).retain(|_, news| {
            news.may_have_ended();
            news.is_wanted()
        });
    }

    fn tell(&self, id: &JobId, change: impl FnOnce(&News)) {
        let mut jobs = lock(&self.jobs);
        let Some(news) = jobs.get(id) else { return };
        change(news);
        if !news.is_wanted() {
            jobs.remove(id);
        }
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

/// A watch over one job, for any change or for its end.
#[derive(Debug)]
pub struct JobWatch {
    news: watch::Receiver<u64>,
    /// What its holder has been told of.
    seen: u64,
}

impl JobWatch {
    /// Returns when what is watched for may have come since the last call (or
    /// since the watch was taken), or after `timeout`.
    pub async fn changed(&mut self, timeout: Duration) {
        let seen = self.seen;
        let told = tokio::time::timeout(timeout, self.news.wait_for(|news| *news != seen)).await;
        let lost = matches!(told, Ok(Err(_)));
        drop(told);
        if lost {
            // The sender is gone: sleeping keeps a caller's loop from spinning.
            tokio::time::sleep(timeout).await;
        }
        self.seen = *self.news.borrow();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::ZERO;

    /// Whether a wait ends by itself.
    async fn comes(wait: impl Future<Output = ()>) -> bool {
        tokio::select! {
            biased;
            () = wait => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn who_waits_for_the_end_sleeps_through_what_comes_before() {
        let (wakers, id) = (Wakers::default(), JobId::generate());
        let (mut patient, mut curious) = (wakers.watch_end(&id), wakers.watch(&id));
        wakers.job_changed(&id);
        assert!(comes(curious.changed(Duration::MAX)).await);
        assert!(!comes(patient.changed(Duration::MAX)).await);
        wakers.job_ended(&id);
        assert!(comes(patient.changed(Duration::MAX)).await);
        assert!(comes(curious.changed(Duration::MAX)).await);
        assert!(!comes(patient.changed(Duration::MAX)).await, "it is told once");
    }

    #[tokio::test]
    async fn who_cannot_be_told_what_changed_looks() {
        let (wakers, id) = (Wakers::default(), JobId::generate());
        let mut watch = wakers.watch_end(&id);
        wakers.any_job_changed();
        assert!(comes(watch.changed(Duration::MAX)).await);
    }

    #[tokio::test]
    async fn a_job_that_nobody_watches_any_more_is_forgotten() {
        let (wakers, id) = (Wakers::default(), JobId::generate());
        wakers.watch(&id).changed(AT_ONCE).await;
        wakers.job_ended(&id);
        assert!(lock(&wakers.jobs).is_empty());
    }
}
