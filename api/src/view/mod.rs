//! What callers read, as types of its own: renaming a stored field never
//! changes the API, and nothing that is stored leaks by being there.

mod item;
mod job;
mod list;
mod model;
mod webhook;
mod webhook_message;
mod words;

pub(crate) use item::ItemResult;
pub(crate) use job::{Job, Results};
pub(crate) use list::JobList;
pub(crate) use model::{Model, ModelList, ModelSummary};
pub(crate) use webhook::{
    DeliveryStatus, NewSecret, WebhookDelivery, WebhookDeliveryList, WebhookEndpoint,
    WebhookEndpointList, WebhookEvent,
};
pub(crate) use webhook_message::WebhookMessage;
pub(crate) use words::{JobStatus, Priority};
