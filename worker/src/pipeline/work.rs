//! An item in work: everything that goes with it from stage to stage.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aisle_shared::domain::{
    ItemOutcome, ItemRef, ItemSource, JobOptions, ModelName, TenantId, Timestamp,
};
use aisle_shared::telemetry::Span;
use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use super::cache::Flight;
use super::ending::{Ended, Ending};
use super::gate::Pass;
use super::held::{Fate, Hold};
use crate::settings::Backoff;

/// An item in work. Dropping it gives back all that it occupied.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) hold: Hold,
    pub(super) tenant: TenantId,
    pub(super) model: ModelName,
    pub(super) source: ItemSource,
    /// Its bytes, where they came with it and the stage that takes them has not
    /// begun.
    pub(super) content: Option<Bytes>,
    /// Whether its bytes are to be removed when it has ended, because the step
    /// that ends it does not.
    pub(super) leaves_bytes: bool,
    pub(super) options: JobOptions,
    pub(super) attempt: u32,
    /// When its job was submitted.
    pub(super) created_at: Timestamp,
    pub(super) backoff: Backoff,
    /// Its place among the items in work; none while it waits for a download.
    pub(super) slot: Option<OwnedSemaphorePermit>,
    /// Whether the network may expect it soon.
    pub(super) coming: Option<Coming>,
    /// Where those wait for its answer who have the same picture; `None` where
    /// its answer is not for others.
    pub(super) flight: Option<Flight>,
    /// Its place in its job's trace.
    pub(super) trace: Span,
    /// The ids that stand on each log line about it.
    pub(super) log: tracing::Span,
    pub(super) _pass: Pass,
}

impl Work {
    pub(super) const fn item(&self) -> ItemRef {
        self.hold.lease().item
    }

    /// The item if it is still to be worked on, else how it ends.
    pub(super) fn still_wanted(self) -> Result<Self, Box<Ended>> {
        match self.hold.fate() {
            Fate::Ours => Ok(self),
            Fate::Canceled => Err(Ended::new(self, Ending::Outcome(ItemOutcome::Canceled))),
            Fate::Lost => Err(Ended::new(self, Ending::Lost)),
        }
    }
}

/// How many items the network may expect soon.
#[derive(Debug, Clone, Default)]
pub(super) struct Expected(Arc<AtomicUsize>);

impl Expected {
    /// One more, until the guard is dropped.
    pub(super) fn one(&self) -> Coming {
        self.0.fetch_add(1, Ordering::AcqRel);
        Coming(Self(Arc::clone(&self.0)))
    }

    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

/// One item that the network may expect soon.
#[derive(Debug)]
pub(super) struct Coming(Expected);

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}
