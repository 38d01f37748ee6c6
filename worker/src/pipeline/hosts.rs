//! How many downloads run at once, in all and from each host, and which hosts
//! are left alone for a while: a slow host holds up its own items only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Downloads in a row that a host may keep waiting for nothing. Then it rests:
/// the items that wait for it would otherwise keep their places from others.
const SILENT: u32 = 4;

/// What a download took at least if it kept waiting.
const LONG: Duration = Duration::from_secs(1);

/// How long a host rests. Then one download tries it.
const REST: Duration = Duration::from_secs(10);

/// For how long a host that kept waiting is remembered.
const MEMORY: Duration = Duration::from_secs(60);

/// Leave to download.
#[derive(Debug)]
pub(super) struct Downloads {
    all: Arc<Semaphore>,
    per_host: usize,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
}

#[derive(Debug)]
struct Host {
    turns: Arc<Semaphore>,
    silence: Mutex<Silence>,
}

/// How a host has kept downloads waiting.
#[derive(Debug, Default)]
struct Silence {
    /// Downloads in a row.
    times: u32,
    /// When the last one ended.
    last: Option<Instant>,
    rests_until: Option<Instant>,
}

/// One download that runs.
#[derive(Debug)]
pub(super) struct Download {
    begun: Instant,
    host: Arc<Host>,
    _turn: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

/// Why a download does not begin.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resting {
    /// How long its host still rests.
    pub(super) left: Duration,
}

impl Downloads {
    pub(super) fn new(all: usize, per_host: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), per_host, hosts: Mutex::default() }
    }

    /// Waits for the host's turn, then for one of all.
    ///
    /// # Errors
    /// When the host rests, also when it began to while this one waited.
    pub(super) async fn begin(&self, host: &str) -> Result<Download, Resting> {
        const OPEN: &str = "nothing closes the semaphores";
        let host = self.host(host);
        host.silence().check(Instant::now())?;
        #[expect(clippy::expect_used, reason = "they live as long as this")]
        let turn = Arc::clone(&host.turns).acquire_owned().await.expect(OPEN);
        #[expect(clippy::expect_used, reason = "they live as long as this")]
        let all = Arc::clone(&self.all).acquire_owned().await.expect(OPEN);
        let begun = Instant::now();
        host.silence().enter(begun)?;
        Ok(Download { begun, host, _turn: turn, _all: all })
    }

    fn host(&self, name: &str) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = hosts.get(name) {
            return Arc::clone(known);
        }
        let now = Instant::now();
        hosts.retain(|_, host| Arc::strong_count(host) > 1 || host.silence().is_recent(now));
        let turns = Arc::new(Semaphore::new(self.per_host));
        let fresh = Arc::new(Host { turns, silence: Mutex::default() });
        hosts.insert(name.to_owned(), Arc::clone(&fresh));
        fresh
    }
}

impl Download {
    /// The host gave what was asked for, or said no.
    pub(super) fn answered(self) {
        *self.host.silence() = Silence::default();
    }

    /// The host brought nothing, and may later.
    pub(super) fn failed(self) {
        let waited = self.begun.elapsed();
        self.failed_after(waited);
    }

    fn failed_after(self, waited: Duration) {
        if waited >= LONG {
            self.host.silence().kept_waiting(Instant::now());
        } else {
            self.answered();
        }
    }
}

impl Host {
    fn silence(&self) -> MutexGuard<'_, Silence> {
        self.silence.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Silence {
    fn check(&self, now: Instant) -> Result<(), Resting> {
        match self.rests_until.map(|end| end.saturating_duration_since(now)) {
            Some(left) if !left.is_zero() => Err(Resting { left }),
            Some(_) | None => Ok(()),
        }
    }

    /// The first one after a rest tries the host, for all others.
    fn enter(&mut self, now: Instant) -> Result<(), Resting> {
        self.check(now)?;
        if self.rests_until.is_some() {
            self.rests_until = Some(now + REST);
        }
        Ok(())
    }

    fn kept_waiting(&mut self, now: Instant) {
        self.times = self.times.saturating_add(1);
        self.last = Some(now);
        if self.times >= SILENT {
            self.rests_until = Some(now + REST);
        }
    }

    fn is_recent(&self, now: Instant) -> bool {
        self.last.is_some_and(|last| now.saturating_duration_since(last) < MEMORY)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn begin(downloads: &Downloads, host: &str) -> Option<Result<Download, Resting>> {
        downloads.begin(host).now_or_never()
    }

    fn begun(downloads: &Downloads, host: &str) -> Download {
        begin(downloads, host).expect("a turn").expect("a host that does not rest")
    }

    fn keep_waiting(downloads: &Downloads, host: &str, times: u32) {
        for _ in 0..times {
            begun(downloads, host).failed_after(LONG);
        }
    }

    #[tokio::test]
    async fn a_host_at_its_limit_leaves_room_for_others() {
        let downloads = Downloads::new(3, 2);
        let first = begun(&downloads, "slow");
        let _second = begun(&downloads, "slow");
        assert!(begin(&downloads, "slow").is_none());
        let _other = begun(&downloads, "fast");
        assert!(begin(&downloads, "third").is_none(), "all are taken");
        drop(first);
        begun(&downloads, "slow");
    }

    #[tokio::test]
    async fn a_host_that_keeps_waiting_rests_and_others_do_not() {
        let downloads = Downloads::new(9, 4);
        keep_waiting(&downloads, "slow", SILENT);
        let Resting { left } = begin(&downloads, "slow").unwrap().unwrap_err();
        assert!(left > REST / 2 && left <= REST, "{left:?}");
        begun(&downloads, "fast").answered();
    }

    #[test]
    fn after_a_rest_one_download_tries_the_host() {
        let start = Instant::now();
        let mut silence = Silence::default();
        (0..SILENT).for_each(|_| silence.kept_waiting(start));
        let rested = start + REST;
        assert_eq!(silence.enter(rested), Ok(()));
        assert_eq!(silence.enter(rested), Err(Resting { left: REST }), "one is enough");
        silence.kept_waiting(rested);
        assert!(silence.enter(rested).is_err());
    }

    #[tokio::test]
    async fn those_who_wait_for_a_host_learn_that_it_rests() {
        let downloads = Downloads::new(9, 1);
        keep_waiting(&downloads, "slow", SILENT - 1);
        let last = begun(&downloads, "slow");
        let mut waiting = Box::pin(downloads.begin("slow"));
        assert!((&mut waiting).now_or_never().is_none());
        last.failed_after(LONG);
        assert!(waiting.now_or_never().unwrap().is_err());
    }

    #[tokio::test]
    async fn a_host_that_answers_or_fails_at_once_does_not_rest() {
        let downloads = Downloads::new(9, 4);
        for _ in 0..2 {
            keep_waiting(&downloads, "rough", SILENT - 1);
            begun(&downloads, "rough").answered();
        }
        for _ in 0..10 {
            begun(&downloads, "rough").failed();
        }
        begun(&downloads, "rough");
    }

    #[tokio::test]
    async fn hosts_are_forgotten_unless_they_kept_waiting_lately() {
        let downloads = Downloads::new(9, 2);
        keep_waiting(&downloads, "slow", 1);
        for host in ["a", "b", "c"] {
            begun(&downloads, host);
        }
        assert_eq!(downloads.hosts.lock().unwrap().len(), 2);
        let silence = Silence { last: Some(Instant::now()), ..Silence::default() };
        assert!(!silence.is_recent(Instant::now() + MEMORY));
    }
}
