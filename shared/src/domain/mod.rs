//! The words of the service as types: job, item, model, prediction.

mod api_key;
mod decision;
mod id;
mod item;
mod job;
mod model;
mod time;
mod trace;
mod webhook;

pub use api_key::{ApiKey, KeyHash, KeyId, KeyState, KeyText, NewApiKey, Scope, Scopes};
pub use decision::{Acceptance, Accepted, Decision, Reached};
pub use id::{IdError, ItemRef, JobId, ModelName, TenantId, WorkerId};
pub use item::{
    Classification, ErrorCode, ImageInfo, ItemError, ItemOutcome, ItemResult, ItemSource, NewItem,
    Prediction, StageTimings,
};
pub use job::{Idempotency, ItemCounts, Job, JobOptions, JobStatus, NewJob, Priority};
pub use model::{Activation, AnnouncedModel, ModelCard, WorkerCard};
pub use time::Timestamp;
pub use trace::{TraceParent, TraceParentError};
pub use webhook::{
    Callback, ClaimedDelivery, Delivery, DeliveryAttempt, DeliveryId, DeliveryLease,
    DeliveryStatus, Disabled, DisabledBecause, EndedJob, Endpoint, EndpointId, EndpointSecret,
    Event, SealedSecret,
};
