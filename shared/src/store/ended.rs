//! Jobs that have ended, reported by the process whose step ended them:
//! whether a worker recorded their last item, a caller canceled them or the
//! reaper gave them up.

use std::time::Duration;

use crate::domain::JobStatus;
use crate::telemetry::names;

/// The end of a job, as it is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JobEnd {
    /// The model that it asked for.
    pub(super) model: String,
    /// How it ended.
    pub(super) status: JobStatus,
    /// The time from its submission to its end, by the store's clock.
    pub(super) took: Duration,
}

impl JobEnd {
    /// Counts and times it. Call this once, when the step is durable.
    pub(super) fn report(self) {
        let Self { model, status, took } = self;
        metrics::histogram!(names::JOB_DURATION_SECONDS, "model" => model.clone()).record(took);
        metrics::counter!(
            names::JOBS_FINISHED_TOTAL, "model" => model, "status" => status.as_str()
        )
        .increment(1);
    }
}
