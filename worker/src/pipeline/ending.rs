//! How an item leaves the pipeline.

use std::time::Duration;

use aisle_shared::domain::{ErrorCode, ItemError, ItemOutcome};

use super::work::Work;

/// An item at the exit.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) work: Work,
    pub(super) ending: Ending,
}

/// What is to be written of it.
#[derive(Debug)]
pub(super) enum Ending {
    /// Its result.
    Outcome(ItemOutcome),
    /// That it failed for a passing reason and is to be tried again.
    Retry { after: Duration, error: ItemError },
    /// That it was not begun: the attempt does not count.
    Release,
    /// Nothing: it is another's by now.
    Lost,
}

impl Ended {
    /// An item that cannot be answered, now or later.
    pub(super) fn failed(work: Work, error: ItemError) -> Box<Self> {
        Self::new(work, Ending::Outcome(ItemOutcome::Failed(error)))
    }

    /// An item that may be answered later.
    pub(super) fn retry(work: Work, error: ItemError) -> Box<Self> {
        Self::retry_after(work, Duration::ZERO, error)
    }

    /// An item that may be answered later, but not before `least` has passed.
    pub(super) fn retry_after(work: Work, least: Duration, error: ItemError) -> Box<Self> {
        let after = least + work.backoff.after(work.attempt, rand::random());
        Self::new(work, Ending::Retry { after, error })
    }

    /// An item that failed inside the worker itself.
    pub(super) fn internal(work: Work, detail: impl Into<String>) -> Box<Self> {
        Self::retry(work, ItemError::new(ErrorCode::Internal, detail))
    }

    pub(super) fn new(mut work: Work, ending: Ending) -> Box<Self> {
        work.coming = None;
        // Who waited for its answer is not kept waiting for its record.
        work.flight = None;
        Box::new(Self { work, ending })
    }
}
