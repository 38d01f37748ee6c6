//! What clients were promised, written down outside the service: one line
//! for each acknowledgement, on disk before the client goes on.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aisle_shared::domain::Timestamp;
use anyhow::Context as _;
use serde_json::json;

use crate::pictures::Colour;

/// How an image must end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// With the label of its colour.
    Label(Colour),
    /// With one of these codes.
    Error(&'static [&'static str]),
    /// In any way, but it must end.
    Anyhow,
}

/// An acknowledged job.
#[derive(Debug, Clone)]
pub struct Promise {
    /// The job's id.
    pub id: String,
    /// The `Idempotency-Key` that it was sent with.
    pub key: String,
    /// How each of its images must end, by place.
    pub images: Vec<Expected>,
    /// When the acknowledged request was begun.
    pub sent: Timestamp,
    /// When the acknowledgement came.
    pub at: Timestamp,
}

/// One request as its client saw it.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// When it began.
    pub began: Instant,
    /// How long it took until its answer or failure was there.
    pub took: Duration,
    /// The answer's status; `None` without an answer.
    pub status: Option<u16>,
}

/// The ledger of one experiment.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    promises: Vec<Promise>,
    errors: BTreeMap<String, u64>,
    requests: Vec<Request>,
    /// What was shown of a job's images: the first word counts for good.
    shown: BTreeMap<(String, u64), String>,
    changed: Vec<String>,
}

impl Ledger {
    /// An empty ledger in a file of that folder.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn new(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("ledger.jsonl");
        let file = File::options().create_new(true).append(true).open(&path);
        let file = file.with_context(|| path.display().to_string())?;
        let inner = Inner {
            file,
            promises: Vec::new(),
            errors: BTreeMap::new(),
            requests: Vec::new(),
            shown: BTreeMap::new(),
            changed: Vec::new(),
        };
        Ok(Self { path, inner: Mutex::new(inner) })
    }

    /// Where it is kept.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes an acknowledgement down; on return it is on disk.
    ///
    /// # Panics
    /// When it cannot be written: then the experiment can prove nothing.
    pub fn promised(&self, promise: Promise) {
        let mut inner = self.lock();
        let images: Vec<String> = promise.images.iter().map(|image| format!("{image:?}")).collect();
        let line = json!({"id": promise.id, "key": promise.key, "sent": promise.sent.0,
            "at": promise.at.0, "images": images});
        writeln!(inner.file, "{line}").expect("a line in the ledger");
        inner.file.sync_data().expect("a ledger on disk");
        inner.promises.push(promise);
    }

    /// Counts what a client was told instead of an answer.
    pub fn error(&self, kind: String) {
        *self.lock().errors.entry(kind).or_default() += 1;
    }

    /// Notes a request.
    pub fn request(&self, request: Request) {
        self.lock().requests.push(request);
    }

    /// Notes what was shown of an ended image. Another word about it later is
    /// a result that was recorded twice.
    pub fn shown(&self, job: &str, index: u64, result: String) {
        let mut inner = self.lock();
        let place = (job.to_owned(), index);
        match inner.shown.get(&place) {
            None => drop(inner.shown.insert(place, result)),
            Some(first) if *first == result => {}
            Some(first) => {
                let change = format!("{job} image {index}: {first} and then {result}");
                inner.changed.push(change);
            }
        }
    }

    /// Every acknowledgement so far.
    #[must_use]
    pub fn promises(&self) -> Vec<Promise> {
        self.lock().promises.clone()
    }

    /// The acknowledgements so far, which are then forgotten here, with what
    /// else grows: their lines stay on disk.
    pub fn take(&self) -> Vec<Promise> {
        let mut inner = self.lock();
        inner.requests.clear();
        inner.shown.clear();
        std::mem::take(&mut inner.promises)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().promises.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What clients were told instead of an answer.
    #[must_use]
    pub fn errors(&self) -> BTreeMap<String, u64> {
        self.lock().errors.clone()
    }

    /// Requests that began after `since`.
    #[must_use]
    pub fn requests(&self, since: Instant) -> Vec<Request> {
        self.lock().requests.iter().filter(|request| request.began >= since).copied().collect()
    }

    /// Results that were another one later.
    #[must_use]
    pub fn changed(&self) -> Vec<String> {
        self.lock().changed.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_is_on_disk_when_the_call_returns() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(folder.path()).unwrap();
        ledger.promised(Promise {
            id: "job-1".to_owned(),
            key: "key-1".to_owned(),
            images: vec![Expected::Label(Colour::Red)],
            sent: Timestamp(1),
            at: Timestamp(2),
        });
        assert!(std::fs::read_to_string(ledger.path()).unwrap().contains("job-1"));
        assert_eq!(ledger.len(), 1);
    }

    #[test]
    fn a_result_that_changes_is_found_out() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(folder.path()).unwrap();
        ledger.shown("job-1", 0, "red".to_owned());
        ledger.shown("job-1", 0, "red".to_owned());
        ledger.shown("job-1", 1, "blue".to_owned());
        assert!(ledger.changed().is_empty());
        ledger.shown("job-1", 0, "blue".to_owned());
        assert_eq!(ledger.changed().len(), 1);
    }
}
