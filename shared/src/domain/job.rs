//! A job: what a caller submits, and what the store says of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Callback, JobId, ModelName, TenantId, Timestamp, TraceParent};

/// Where a job stands. A terminal status never changes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Accepted; no item has been claimed yet.
    Queued,
    /// At least one item has been claimed.
    Processing,
    /// Every item succeeded.
    Succeeded,
    /// Some items succeeded and some failed.
    Partial,
    /// Every item failed.
    Failed,
    /// Canceled before every item had ended.
    Canceled,
}

impl JobStatus {
    /// Every status, in the order of a job's life.
    pub const ALL: [Self; 6] = [
        Self::Queued,
        Self::Processing,
        Self::Succeeded,
        Self::Partial,
        Self::Failed,
        Self::Canceled,
    ];

    /// The word that stands in JSON and in the stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Processing => "processing",
            Self::Succeeded => "succeeded",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// The status that a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Whether the job has ended.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Queued | Self::Processing => false,
            Self::Succeeded | Self::Partial | Self::Failed | Self::Canceled => true,
        }
    }
}

/// How many items of a job ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ItemCounts {
    /// Items in the job.
    pub total: u32,
    /// Items with predictions.
    pub succeeded: u32,
    /// Items that ended with an error.
    pub failed: u32,
    /// Items canceled before they ended otherwise.
    pub canceled: u32,
}

impl ItemCounts {
    /// Items that have ended, however.
    #[must_use]
    pub const fn ended(self) -> u32 {
        self.succeeded + self.failed + self.canceled
    }

    /// The status of a job once all its items have ended; `None` before.
    #[must_use]
    pub const fn final_status(self) -> Option<JobStatus> {
        if self.ended() < self.total {
            None
        } else if self.canceled > 0 {
            Some(JobStatus::Canceled)
        } else if self.failed == self.total {
            Some(JobStatus::Failed)
        } else if self.failed > 0 {
            Some(JobStatus::Partial)
        } else {
            Some(JobStatus::Succeeded)
        }
    }
}

/// Which jobs go first. Bands are strict, but every eighth claim looks at
/// them in reverse, so none starves; inside a band tenants share fairly.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Someone waits for the answer.
    Interactive,
    /// The usual case.
    #[default]
    Normal,
    /// Catalogue runs that may take hours.
    Bulk,
}

impl Priority {
    /// Every priority, most urgent first.
    pub const ALL: [Self; 3] = [Self::Interactive, Self::Normal, Self::Bulk];

    /// The band's number in the stores: 0 is the most urgent.
    #[must_use]
    pub const fn band(self) -> u8 {
        match self {
            Self::Interactive => 0,
            Self::Normal => 1,
            Self::Bulk => 2,
        }
    }

    /// The priority of a band's number.
    #[must_use]
    pub fn from_band(band: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.band() == band)
    }

    /// The word that stands in JSON and in metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Normal => "normal",
            Self::Bulk => "bulk",
        }
    }
}

/// What a caller chose for every image of the job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobOptions {
    /// How many predictions to return for each image, at least 1.
    pub top_k: u32,
    /// Whether answers may come from the cache and be kept there.
    #[serde(default = "always")]
    pub cache: bool,
    /// The share of right answers to decide at whether a human has to look;
    /// the model's lowest where nothing was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept_precision: Option<f64>,
}

/// Jobs that were written before there was a choice.
const fn always() -> bool {
    true
}

/// A caller's own name for a request, so that sending it again does not do it
/// again (draft-ietf-httpapi-idempotency-key-header-07).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The caller's key, unique within its tenant.
    pub key: String,
    /// SHA-256 of what was asked, in hexadecimal: the same key with another
    /// fingerprint is a mistake of the caller.
    pub fingerprint: String,
    /// How long the key is remembered.
    pub keep: Duration,
}

/// A job as submitted, before the store has it. Its items follow apart.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// Made by the submitter, so that submitting twice is harmless.
    pub id: JobId,
    /// Whose job it is.
    pub tenant: TenantId,
    /// The tenant's share of its band against other tenants: 1 is usual.
    pub weight: u32,
    /// The model that is to classify every item.
    pub model: ModelName,
    /// Which jobs go first.
    pub priority: Priority,
    /// What the caller chose.
    pub options: JobOptions,
    /// The caller's own words, returned as they came.
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// Claims that an item may use before it is a dead letter, at least 1.
    pub max_attempts: u32,
    /// How long the job can be read after it has ended.
    pub retention: Duration,
    /// Where to tell of its end, beside the tenant's endpoints.
    pub callback: Option<Callback>,
    /// The caller's own name for the request.
    pub idempotency: Option<Idempotency>,
    /// The request's place in a trace.
    pub trace: Option<TraceParent>,
}

impl NewJob {
    /// The job as a reader finds it who is quicker than every worker: taken
    /// by the store at that time, with so many items.
    #[must_use]
    pub fn queued(self, total: u32, at: Timestamp) -> Job {
        Job {
            id: self.id,
            tenant: self.tenant,
            model: self.model,
            priority: self.priority,
            options: self.options,
            metadata: self.metadata,
            status: JobStatus::Queued,
            items: ItemCounts { total, ..ItemCounts::default() },
            cached: 0,
            created_at: at,
            started_at: None,
            completed_at: None,
            expires_at: None,
            callback: self.callback,
            cancel_requested: false,
            version: 1,
        }
    }
}

/// A job as the store has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The job's id.
    pub id: JobId,
    /// Whose job it is.
    pub tenant: TenantId,
    /// The model that classifies every item.
    pub model: ModelName,
    /// Which jobs go first.
    pub priority: Priority,
    /// What the caller chose.
    pub options: JobOptions,
    /// The caller's own words.
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// Where the job stands.
    pub status: JobStatus,
    /// How many items ended how.
    pub items: ItemCounts,
    /// How many of those that succeeded were not classified anew.
    pub cached: u32,
    /// When the store took the job.
    pub created_at: Timestamp,
    /// When its first item was claimed.
    pub started_at: Option<Timestamp>,
    /// When its last item ended.
    pub completed_at: Option<Timestamp>,
    /// When it will be forgotten; known once it has ended.
    pub expires_at: Option<Timestamp>,
    /// Where its end is told, beside the tenant's endpoints.
    pub callback: Option<Callback>,
    /// Whether a caller asked to cancel it.
    pub cancel_requested: bool,
    /// Grows with every change that a reader can see.
    pub version: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(succeeded: u32, failed: u32, canceled: u32) -> ItemCounts {
        ItemCounts { total: 3, succeeded, failed, canceled }
    }

    #[test]
    fn a_job_ends_only_when_its_last_item_has() {
        assert_eq!(counts(2, 0, 0).final_status(), None);
        assert_eq!(counts(3, 0, 0).final_status(), Some(JobStatus::Succeeded));
        assert_eq!(counts(2, 1, 0).final_status(), Some(JobStatus::Partial));
        assert_eq!(counts(0, 3, 0).final_status(), Some(JobStatus::Failed));
        assert_eq!(counts(2, 0, 1).final_status(), Some(JobStatus::Canceled));
    }

    #[test]
    fn options_are_read_as_they_were_written_before_there_was_a_precision() {
        let old: JobOptions = serde_json::from_str(r#"{"top_k":3,"cache":true}"#).unwrap();
        assert_eq!(old, JobOptions { top_k: 3, cache: true, accept_precision: None });
        assert_eq!(serde_json::to_string(&old).unwrap(), r#"{"top_k":3,"cache":true}"#);
    }

    #[test]
    fn a_status_survives_its_word() {
        for status in JobStatus::ALL {
            assert_eq!(JobStatus::from_word(status.as_str()), Some(status));
        }
    }
}
