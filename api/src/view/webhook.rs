//! Webhook endpoints and deliveries as callers read them.

use aisle_shared::domain::{self, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a webhook tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) enum WebhookEvent {
    /// Every image succeeded.
    #[serde(rename = "job.succeeded")]
    Succeeded,
    /// Some images succeeded and some failed.
    #[serde(rename = "job.partial")]
    Partial,
    /// Every image failed.
    #[serde(rename = "job.failed")]
    Failed,
    /// The job was canceled.
    #[serde(rename = "job.canceled")]
    Canceled,
}

impl From<domain::Event> for WebhookEvent {
    fn from(event: domain::Event) -> Self {
        match event {
            domain::Event::JobSucceeded => Self::Succeeded,
            domain::Event::JobPartial => Self::Partial,
            domain::Event::JobFailed => Self::Failed,
            domain::Event::JobCanceled => Self::Canceled,
        }
    }
}

impl From<WebhookEvent> for domain::Event {
    fn from(event: WebhookEvent) -> Self {
        match event {
            WebhookEvent::Succeeded => Self::JobSucceeded,
            WebhookEvent::Partial => Self::JobPartial,
            WebhookEvent::Failed => Self::JobFailed,
            WebhookEvent::Canceled => Self::JobCanceled,
        }
    }
}

/// A receiver of events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookEndpoint {
    /// Its id, or `callbacks` for what signs messages to jobs' own receivers.
    #[schema(example = "ep_019a3c5e7b1f7c3a9d521f0e6a8b4c2d")]
    id: String,
    /// Where events are posted; null for `callbacks`.
    #[schema(required, format = Uri, example = "https://shop.example.com/hooks/aisle")]
    url: Option<String>,
    /// The events that it gets; empty stands for all.
    events: Vec<WebhookEvent>,
    /// Your own words.
    description: String,
    /// Why and since when it gets nothing; null while it gets events.
    #[schema(required)]
    disabled: Option<Disabled>,
    /// Until when messages are signed by the secret before the current one
    /// too; null when they are not.
    #[schema(required, format = DateTime)]
    previous_secret_expires_at: Option<String>,
    /// When it was registered.
    #[schema(format = DateTime, example = "2026-01-31T08:15:30.250Z")]
    created_at: String,
}

/// Why and since when an endpoint gets nothing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookDisabled)]
struct Disabled {
    /// Why.
    because: DisabledBecause,
    /// Since when.
    #[schema(format = DateTime)]
    at: String,
}

/// Why an endpoint gets nothing.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WebhookDisabledBecause)]
enum DisabledBecause {
    /// A request said so.
    Requested,
    /// It answered 410.
    Gone,
    /// Nothing reached it for five days.
    Failing,
}

impl From<domain::Disabled> for Disabled {
    fn from(disabled: domain::Disabled) -> Self {
        let because = match disabled.because {
            domain::DisabledBecause::Requested => DisabledBecause::Requested,
            domain::DisabledBecause::Gone => DisabledBecause::Gone,
            domain::DisabledBecause::Failing => DisabledBecause::Failing,
        };
        Self { because, at: disabled.at.rfc3339() }
    }
}

impl WebhookEndpoint {
    /// The address of an endpoint.
    pub(crate) fn path(id: &domain::EndpointId) -> String {
        format!("/v1/webhook-endpoints/{id}")
    }

    /// An endpoint as it stands at `now`, its secrets left out.
    pub(crate) fn new(endpoint: domain::Endpoint, now: Timestamp) -> Self {
        let previous = endpoint.secrets.iter().filter_map(|secret| secret.expires_at);
        Self {
            id: endpoint.id.to_string(),
            url: endpoint.url,
            events: endpoint.events.into_iter().map(WebhookEvent::from).collect(),
            description: endpoint.description,
            disabled: endpoint.disabled.map(Disabled::from),
            previous_secret_expires_at: previous
                .max()
                .filter(|expires_at| *expires_at > now)
                .map(Timestamp::rfc3339),
            created_at: endpoint.created_at.rfc3339(),
        }
    }
}

/// An endpoint with its new secret, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookEndpointWithSecret)]
pub(crate) struct NewSecret {
    #[serde(flatten)]
    pub(crate) endpoint: WebhookEndpoint,
    /// What messages are signed with from now on: keep it, it is not shown
    /// again.
    #[schema(
        pattern = "^whsec_[A-Za-z0-9+/=]+$",
        example = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    )]
    pub(crate) secret: String,
}

/// Webhook endpoints, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookEndpointList {
    /// The endpoints, `callbacks` among them once it is there.
    pub(crate) data: Vec<WebhookEndpoint>,
}

/// An event on its way to one receiver.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookDelivery {
    /// Its id.
    #[schema(example = "019a3c5e-7b1f-7c3a-9d52-1f0e6a8b4c2d.callbacks")]
    id: String,
    /// The message's `webhook-id`: the same in every attempt.
    #[schema(example = "msg_019a3c5e7b1f7c3a9d521f0e6a8b4c2d")]
    message_id: String,
    /// The receiver's endpoint, `callbacks` for the job's own.
    endpoint: String,
    /// The job that ended.
    #[schema(format = Uuid)]
    job: String,
    /// Where it goes.
    #[schema(format = Uri)]
    url: String,
    /// What is told.
    event: WebhookEvent,
    /// Where it stands.
    status: DeliveryStatus,
    /// How often it was tried, in all.
    attempted: u32,
    /// The last tries, oldest first.
    attempts: Vec<DeliveryAttempt>,
    /// When the job ended.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it will be tried next, while pending.
    #[schema(required, format = DateTime)]
    due_at: Option<String>,
    /// When it was delivered or given up.
    #[schema(required, format = DateTime)]
    ended_at: Option<String>,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WebhookDeliveryStatus)]
pub(crate) enum DeliveryStatus {
    /// It will be tried, or is being tried.
    Pending,
    /// The receiver took it.
    Delivered,
    /// It was given up.
    Failed,
}

impl From<domain::DeliveryStatus> for DeliveryStatus {
    fn from(status: domain::DeliveryStatus) -> Self {
        match status {
            domain::DeliveryStatus::Pending => Self::Pending,
            domain::DeliveryStatus::Delivered => Self::Delivered,
            domain::DeliveryStatus::Failed => Self::Failed,
        }
    }
}

impl From<DeliveryStatus> for domain::DeliveryStatus {
    fn from(status: DeliveryStatus) -> Self {
        match status {
            DeliveryStatus::Pending => Self::Pending,
            DeliveryStatus::Delivered => Self::Delivered,
            DeliveryStatus::Failed => Self::Failed,
        }
    }
}

/// One try to deliver.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookDeliveryAttempt)]
struct DeliveryAttempt {
    /// When it began.
    #[schema(format = DateTime)]
    at: String,
    /// Milliseconds that it took.
    took_ms: u64,
    /// The receiver's HTTP status, if it answered.
    #[schema(required, example = 503)]
    status: Option<u16>,
    /// What went wrong, for programs: `refused` (a status that is no success),
    /// `redirected`, `gone`, `timed_out`, `unreachable`, `bad_certificate`,
    /// `url_not_allowed`, `secret_unreadable` or `internal`. Null when it was
    /// delivered.
    #[schema(required, example = "refused")]
    error: Option<String>,
}

impl WebhookDelivery {
    /// A delivery with its attempts.
    pub(crate) fn new(delivery: domain::Delivery) -> Self {
        let attempts = delivery.attempts.into_iter().map(|attempt| DeliveryAttempt {
            at: attempt.at.rfc3339(),
            took_ms: attempt.took_ms,
            status: attempt.status,
            error: attempt.error,
        });
        Self {
            message_id: delivery.id.message(),
            endpoint: delivery.id.endpoint.to_string(),
            job: delivery.id.job.to_string(),
            id: delivery.id.to_string(),
            url: delivery.url,
            event: delivery.event.into(),
            status: delivery.status.into(),
            attempted: delivery.attempted,
            attempts: attempts.collect(),
            created_at: delivery.created_at.rfc3339(),
            due_at: delivery.due_at.map(Timestamp::rfc3339),
            ended_at: delivery.ended_at.map(Timestamp::rfc3339),
        }
    }
}

/// A page of deliveries, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookDeliveryList {
    /// The deliveries.
    pub(crate) data: Vec<WebhookDelivery>,
    /// The `cursor` of the next page; null at the end. A page may be short,
    /// even empty, and still have a next one.
    #[schema(required)]
    pub(crate) next_cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use aisle_shared::domain::{EndpointId, EndpointSecret, SealedSecret, TenantId};

    use super::*;

    #[test]
    fn an_endpoint_shows_neither_its_secrets_nor_its_tenant() {
        let secret = |text: &str, expires_at| EndpointSecret {
            sealed: SealedSecret(text.to_owned()),
            expires_at,
        };
        let endpoint = domain::Endpoint {
            id: EndpointId::generate(),
            tenant: TenantId::default_tenant(),
            url: Some("https://shop.example/".to_owned()),
            events: vec![domain::Event::JobFailed],
            description: String::new(),
            secrets: vec![secret("canary-1", None), secret("canary-2", Some(Timestamp(9)))],
            disabled: None,
            created_at: Timestamp(0),
            version: 3,
        };
        let at = |now| {
            let view = WebhookEndpoint::new(endpoint.clone(), Timestamp(now));
            serde_json::to_value(view).unwrap()
        };
        assert_eq!(at(8)["events"], serde_json::json!(["job.failed"]));
        assert_eq!(at(8)["previous_secret_expires_at"], "1970-01-01T00:00:00.009Z");
        assert!(at(9)["previous_secret_expires_at"].is_null());
        assert!(at(8).get("tenant").is_none() && !at(8).to_string().contains("canary"));
    }
}
