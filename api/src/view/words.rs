//! Words that stand in requests and answers.

use aisle_shared::domain;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a job stands. `succeeded`, `partial`, `failed` and `canceled` are
/// final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JobStatus {
    /// Accepted; no worker has begun.
    Queued,
    /// A worker has begun.
    Processing,
    /// Every image succeeded.
    Succeeded,
    /// Some images succeeded and some failed.
    Partial,
    /// Every image failed.
    Failed,
    /// Canceled before every image had ended.
    Canceled,
}

impl From<domain::JobStatus> for JobStatus {
    fn from(status: domain::JobStatus) -> Self {
        match status {
            domain::JobStatus::Queued => Self::Queued,
            domain::JobStatus::Processing => Self::Processing,
            domain::JobStatus::Succeeded => Self::Succeeded,
            domain::JobStatus::Partial => Self::Partial,
            domain::JobStatus::Failed => Self::Failed,
            domain::JobStatus::Canceled => Self::Canceled,
        }
    }
}

impl From<JobStatus> for domain::JobStatus {
    fn from(status: JobStatus) -> Self {
        match status {
            JobStatus::Queued => Self::Queued,
            JobStatus::Processing => Self::Processing,
            JobStatus::Succeeded => Self::Succeeded,
            JobStatus::Partial => Self::Partial,
            JobStatus::Failed => Self::Failed,
            JobStatus::Canceled => Self::Canceled,
        }
    }
}

/// Which jobs go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Priority {
    /// Someone waits for the answer.
    Interactive,
    /// The usual case.
    Normal,
    /// Catalogue runs that may take hours.
    Bulk,
}

impl From<domain::Priority> for Priority {
    fn from(priority: domain::Priority) -> Self {
        match priority {
            domain::Priority::Interactive => Self::Interactive,
            domain::Priority::Normal => Self::Normal,
            domain::Priority::Bulk => Self::Bulk,
        }
    }
}

impl From<Priority> for domain::Priority {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::Interactive => Self::Interactive,
            Priority::Normal => Self::Normal,
            Priority::Bulk => Self::Bulk,
        }
    }
}
