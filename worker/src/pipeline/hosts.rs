//! How many downloads run at once, in all and from each host: a slow host
//! holds up its own items only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Leave to download.
#[derive(Debug)]
pub(super) struct Downloads {
    all: Arc<Semaphore>,
    per_host: usize,
    hosts: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// One download that runs.
#[derive(Debug)]
pub(super) struct Download {
    _host: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Downloads {
    pub(super) fn new(all: usize, per_host: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), per_host, hosts: Mutex::default() }
    }

    /// Waits for the host's turn, then for one of all; `None` is never
    /// returned, because nothing closes the semaphores.
    pub(super) async fn begin(&self, host: &str) -> Option<Download> {
        let host = self.host(host).acquire_owned().await.ok()?;
        let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Download { _host: host, _all: all })
    }

    fn host(&self, host: &str) -> Arc<Semaphore> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = hosts.get(host).and_then(Weak::upgrade) {
            return known;
        }
        hosts.retain(|_, semaphore| semaphore.strong_count() > 0);
        let fresh = Arc::new(Semaphore::new(self.per_host));
        hosts.insert(host.to_owned(), Arc::downgrade(&fresh));
        fresh
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_host_at_its_limit_leaves_room_for_others() {
        let downloads = Downloads::new(3, 2);
        let first = downloads.begin("slow").now_or_never().unwrap();
        let _second = downloads.begin("slow").now_or_never().unwrap();
        assert!(downloads.begin("slow").now_or_never().is_none());
        let _other = downloads.begin("fast").now_or_never().expect("another host has room");
        assert!(downloads.begin("third").now_or_never().is_none(), "all are taken");
        drop(first);
        assert!(downloads.begin("slow").now_or_never().is_some());
    }

    #[tokio::test]
    async fn hosts_without_downloads_are_forgotten() {
        let downloads = Downloads::new(9, 2);
        for host in ["a", "b", "c"] {
            downloads.begin(host).await.unwrap();
        }
        assert_eq!(downloads.hosts.lock().unwrap().len(), 1);
    }
}
