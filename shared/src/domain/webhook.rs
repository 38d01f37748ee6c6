//! Telling others of a job's end: endpoints, events, deliveries.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::id::{IdError, name_type};
use super::{ItemCounts, JobId, JobStatus, ModelName, TenantId, Timestamp, TraceParent};

/// Where a job's caller asked to be told of its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callback {
    /// The receiver, already checked as a [`Target`](crate::fetch::Target).
    pub url: String,
    /// Its scheme, host and port: receivers behind one origin share a
    /// [`ClaimedDelivery::lane`].
    pub origin: String,
}

name_type!(
    /// A receiver registered by a tenant, or [`EndpointId::callbacks`].
    EndpointId,
    "an endpoint id",
    "1 to 40 letters, digits or underscores, a letter or digit first",
    40,
    |c| c.is_ascii_alphanumeric() || c == '_'
);

impl EndpointId {
    /// A fresh id.
    #[must_use]
    pub fn generate() -> Self {
        Self(format!("ep_{}", uuid::Uuid::now_v7().as_simple()))
    }

    /// What stands for the receivers that jobs name themselves: an endpoint
    /// without a URL, whose secrets sign what is sent to them.
    #[must_use]
    pub fn callbacks() -> Self {
        Self("callbacks".to_owned())
    }
}

/// What a webhook tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Event {
    /// Every item succeeded.
    #[serde(rename = "job.succeeded")]
    JobSucceeded,
    /// Some items failed.
    #[serde(rename = "job.partial")]
    JobPartial,
    /// Every item failed.
    #[serde(rename = "job.failed")]
    JobFailed,
    /// The job was canceled.
    #[serde(rename = "job.canceled")]
    JobCanceled,
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 4] =
        [Self::JobSucceeded, Self::JobPartial, Self::JobFailed, Self::JobCanceled];

    /// The event of a job that ended so; `None` for one that has not ended.
    #[must_use]
    pub const fn of(status: JobStatus) -> Option<Self> {
        match status {
            JobStatus::Queued | JobStatus::Processing => None,
            JobStatus::Succeeded => Some(Self::JobSucceeded),
            JobStatus::Partial => Some(Self::JobPartial),
            JobStatus::Failed => Some(Self::JobFailed),
            JobStatus::Canceled => Some(Self::JobCanceled),
        }
    }

    /// The word that stands in payloads and in the stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JobSucceeded => "job.succeeded",
            Self::JobPartial => "job.partial",
            Self::JobFailed => "job.failed",
            Self::JobCanceled => "job.canceled",
        }
    }

    /// The event that a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == word)
    }
}

/// A secret as the store keeps it: encrypted, opened by the vault only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SealedSecret(pub String);

/// One of an endpoint's secrets. During a rotation there are two, and both
/// sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointSecret {
    /// The secret.
    pub sealed: SealedSecret,
    /// When it stops signing; `None` for the current one.
    pub expires_at: Option<Timestamp>,
}

/// Why an endpoint gets nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisabledBecause {
    /// Its tenant wished so.
    Requested,
    /// It answered 410 Gone.
    Gone,
    /// Nothing reached it for days.
    Failing,
}

/// Since when and why an endpoint gets nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    /// Why.
    pub because: DisabledBecause,
    /// Since when.
    pub at: Timestamp,
}

/// A tenant's receiver of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Where events go; `None` for [`EndpointId::callbacks`] only.
    pub url: Option<String>,
    /// The events that it wants; empty stands for all.
    pub events: Vec<Event>,
    /// The tenant's own words.
    pub description: String,
    /// The secrets that sign, the current one first.
    pub secrets: Vec<EndpointSecret>,
    /// Set while it gets nothing.
    pub disabled: Option<Disabled>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Grows with each change; a change is refused when it was made from an
    /// older one.
    pub version: u64,
}

/// An event on its way to one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId {
    /// The job whose end is told.
    pub job: JobId,
    /// The receiver.
    pub endpoint: EndpointId,
}

impl DeliveryId {
    /// The id of the message, which is the same at every endpoint and in
    /// every attempt: what the `webhook-id` header holds.
    #[must_use]
    pub fn message(&self) -> String {
        format!("msg_{}", self.job.as_uuid().as_simple())
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.job, self.endpoint)
    }
}

impl FromStr for DeliveryId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = IdError { what: "a delivery id", rule: "a job id, a dot and an endpoint id" };
        let (job, endpoint) = text.split_once('.').ok_or(error)?;
        Ok(Self { job: job.parse()?, endpoint: endpoint.parse()? })
    }
}

/// A job as its end is told, kept with the delivery so that it can be told
/// after the job itself is gone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndedJob {
    /// The job.
    pub id: JobId,
    /// Its model.
    pub model: ModelName,
    /// How it ended.
    pub status: JobStatus,
    /// How its items ended.
    pub items: ItemCounts,
    /// The caller's own words.
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When it ended.
    pub completed_at: Timestamp,
    /// Its submission's place in a distributed trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceParent>,
}

/// A delivery that a sender holds.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedDelivery {
    /// Which delivery, and the proof of holding it.
    pub lease: DeliveryLease,
    /// Whose job ended.
    pub tenant: TenantId,
    /// Where it goes.
    pub url: String,
    /// The secrets that sign it: those that have not expired, current first.
    pub secrets: Vec<EndpointSecret>,
    /// What is told.
    pub event: Event,
    /// The job that ended.
    pub job: EndedJob,
    /// How often it has been claimed since it became due or was replayed,
    /// this claim included: from 1.
    pub attempt: u32,
    /// What shares a cap and a breaker with it: the endpoint's id, or the
    /// origin of a callback.
    pub lane: String,
}

/// Proof of holding a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeliveryLease {
    /// The delivery.
    pub id: DeliveryId,
    /// The proof, compared whole.
    pub token: String,
}

/// One try to deliver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryAttempt {
    /// When it began.
    pub at: Timestamp,
    /// Milliseconds that it took.
    pub took_ms: u64,
    /// The receiver's status, if it answered.
    pub status: Option<u16>,
    /// A stable word for what went wrong; `None` when it was delivered.
    pub error: Option<String>,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// It will be tried, or is being tried.
    Pending,
    /// The receiver took it.
    Delivered,
    /// It was given up.
    Failed,
}

impl DeliveryStatus {
    /// The word that stands in JSON and in the stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    /// The status that a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Pending, Self::Delivered, Self::Failed]
            .into_iter()
            .find(|status| status.as_str() == word)
    }
}

/// A delivery as its tenant sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Where it goes.
    pub url: String,
    /// What is told.
    pub event: Event,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// How often it was tried, in all.
    pub attempted: u32,
    /// The last tries, oldest first, at most
    /// [`ATTEMPTS_KEPT`](crate::store::ATTEMPTS_KEPT).
    pub attempts: Vec<DeliveryAttempt>,
    /// When the job ended.
    pub created_at: Timestamp,
    /// When it will be tried next, while pending.
    pub due_at: Option<Timestamp>,
    /// When it was delivered or given up.
    pub ended_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_id_survives_text_and_back() {
        for endpoint in [EndpointId::generate(), EndpointId::callbacks()] {
            let id = DeliveryId { job: JobId::generate(), endpoint };
            assert_eq!(id.to_string().parse::<DeliveryId>(), Ok(id));
        }
    }

    #[test]
    fn one_message_has_one_id_at_every_endpoint() {
        let job = JobId::generate();
        let at = |endpoint| DeliveryId { job, endpoint }.message();
        assert_eq!(at(EndpointId::generate()), at(EndpointId::callbacks()));
        assert_ne!(
            at(EndpointId::callbacks()),
            DeliveryId { job: JobId::generate(), endpoint: EndpointId::callbacks() }.message()
        );
    }

    #[test]
    fn an_event_survives_its_word_and_its_json() {
        for event in Event::ALL {
            assert_eq!(Event::from_word(event.as_str()), Some(event));
            assert_eq!(serde_json::to_value(event).unwrap(), event.as_str());
        }
    }
}
