//! `POST /v1/webhook-endpoints`

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use aisle_shared::domain::{Endpoint, EndpointId, Timestamp};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{checked_description, checked_url, each_once, endpoint_refusal, with_secret};
use crate::caller::Caller;
use crate::context::Context;
use crate::intake::Document;
use crate::problem::{Problem, problems};
use crate::signing;
use crate::view::{NewSecret, WebhookEvent};

/// A receiver to register.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewWebhookEndpoint {
    /// Where to post: https, at a public address.
    #[schema(format = Uri, max_length = 2_048, example = "https://shop.example.com/hooks/aisle")]
    url: String,
    /// The events to send; none stands for all.
    #[serde(default)]
    events: Vec<WebhookEvent>,
    /// Your own words.
    #[serde(default)]
    #[schema(max_length = 500, example = "The shop's back end.")]
    description: String,
}

problems!(CreateProblems:
    InvalidRequest, UploadTooSlow, BodyTooLarge, UnsupportedMedia, UrlNotAllowed, TooManyEndpoints,
    Internal, WebhooksOff, StoreUnavailable);

/// Register a webhook endpoint
///
/// Every job that ends from now on is told to it, as [Standard
/// Webhooks](https://www.standardwebhooks.com/) say: a `WebhookMessage` with
/// the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`. The
/// answer holds the secret to verify with, and it is not shown again.
///
/// Answer a message with 2xx within 15 seconds. Anything else is tried again,
/// ten times over three days; 410 disables the endpoint. Redirects are not
/// followed. A message may come twice: its `webhook-id` is then the same.
#[utoipa::path(
    tag = "webhooks",
    security(("api_key" = ["webhooks:manage"])),
    operation_id = "createWebhookEndpoint",
    request_body(content = NewWebhookEndpoint, examples(
        ("all" = (summary = "Every event", value = json!({
            "url": "https://shop.example.com/hooks/aisle"
        }))),
        ("some" = (summary = "Only jobs that went wrong", value = json!({
            "url": "https://shop.example.com/hooks/aisle",
            "events": ["job.partial", "job.failed"],
            "description": "Tells the catalogue team."
        }))),
    )),
    responses(
        (status = 201, body = NewSecret, description = "Registered.", headers(
            ("Location" = String, description = "The endpoint's address."),
        ), links(
            ("read" = (operation_id = "readWebhookEndpoint",
                parameters(("id" = "$response.body#/id")))),
            ("change" = (operation_id = "changeWebhookEndpoint",
                parameters(("id" = "$response.body#/id")))),
            ("rotate" = (operation_id = "rotateWebhookSecret",
                parameters(("id" = "$response.body#/id")))),
            ("delete" = (operation_id = "deleteWebhookEndpoint",
                parameters(("id" = "$response.body#/id")))),
        )),
        CreateProblems,
    ),
)]
#[post("/v1/webhook-endpoints")]
pub(crate) async fn create(
    caller: Caller,
    context: Data<Context>,
    body: Document<NewWebhookEndpoint>,
) -> Result<HttpResponse, Problem> {
    let NewWebhookEndpoint { url, events, description } = body.0;
    let url = checked_url(&url, &context.settings().fetch_policy)?;
    let description = checked_description(description)?;
    let id = EndpointId::generate();
    let (secret, sealed) = signing::new_secret(&context, &caller.tenant, &id)?;
    let endpoint = Endpoint {
        id,
        tenant: caller.tenant,
        url: Some(url),
        events: each_once(&events),
        description,
        secrets: vec![sealed],
        disabled: None,
        created_at: Timestamp::now(),
        version: 1,
    };
    let stored = context.store().put_endpoint(&endpoint).await;
    stored.map_err(|error| endpoint_refusal(&endpoint.id, error))?;
    tracing::info!(tenant = %endpoint.tenant, endpoint = %endpoint.id, "webhook endpoint registered");
    Ok(with_secret(StatusCode::CREATED, endpoint, &secret))
}
