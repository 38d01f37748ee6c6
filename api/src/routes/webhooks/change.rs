//! `PATCH /v1/webhook-endpoints/{id}`

use actix_web::patch;
use actix_web::web::{Data, Json};
use aisle_shared::domain::{Disabled, DisabledBecause, Endpoint, EndpointId, Timestamp};
use aisle_shared::fetch::FetchPolicy;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{checked_description, checked_url, each_once, endpoint_refusal};
use crate::caller::Caller;
use crate::context::Context;
use crate::http::EndpointPath;
use crate::intake::{Document, wrong};
use crate::problem::{Problem, problems};
use crate::view::{WebhookEndpoint, WebhookEvent};

/// What to change; the rest stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookEndpointChange {
    /// Where to post from now on: https, at a public address.
    #[schema(format = Uri, max_length = 2_048, example = "https://shop.example.com/hooks/aisle")]
    url: Option<String>,
    /// The events to send from now on; an empty list stands for all.
    events: Option<Vec<WebhookEvent>>,
    /// Your own words.
    #[schema(max_length = 500)]
    description: Option<String>,
    /// Whether it is to get events: `true` also brings back an endpoint that
    /// was disabled because it was gone or failing.
    enabled: Option<bool>,
}

problems!(ChangeProblems:
    InvalidRequest, UploadTooSlow, BodyTooLarge, UnsupportedMedia, UrlNotAllowed, EndpointNotFound,
    EndpointChanged, Internal, StoreUnavailable);

/// Change a webhook endpoint
///
/// Of `callbacks` only the description can be changed: it has no URL of its
/// own, and is used only where a job asks for it. What is pending for an
/// endpoint that is disabled is given up, and can be replayed.
#[utoipa::path(
    tag = "webhooks",
    security(("api_key" = ["webhooks:manage"])),
    operation_id = "changeWebhookEndpoint",
    params(("id" = String, Path, description = "The endpoint's id, or `callbacks`.")),
    request_body(content = WebhookEndpointChange, examples(
        ("disable" = (summary = "Send nothing for now", value = json!({"enabled": false}))),
        ("enable" = (summary = "Send again", value = json!({"enabled": true}))),
    )),
    responses(
        (status = 200, body = WebhookEndpoint, description = "The endpoint as it is now."),
        ChangeProblems,
    ),
)]
#[patch("/v1/webhook-endpoints/{id}")]
pub(crate) async fn change(
    caller: Caller,
    context: Data<Context>,
    id: EndpointPath,
    body: Document<WebhookEndpointChange>,
) -> Result<Json<WebhookEndpoint>, Problem> {
    let refusal = |error| endpoint_refusal(&id.0, error);
    let endpoint = context.store().endpoint(&caller.tenant, &id.0).await.map_err(refusal)?;
    let now = Timestamp::now();
    let policy = &context.settings().fetch_policy;
    let changed = body.0.applied(endpoint, policy, now)?;
    context.store().put_endpoint(&changed).await.map_err(refusal)?;
    Ok(Json(WebhookEndpoint::new(changed, now)))
}

impl WebhookEndpointChange {
    fn applied(
        self,
        mut endpoint: Endpoint,
        policy: &FetchPolicy,
        now: Timestamp,
    ) -> Result<Endpoint, Problem> {
        let Self { url, events, description, enabled } = self;
        if endpoint.id == EndpointId::callbacks() {
            let fixed = [
                ("url", url.is_some()),
                ("events", events.is_some()),
                ("enabled", enabled.is_some()),
            ];
            if let Some((name, _)) = fixed.into_iter().find(|(_, given)| *given) {
                let detail = "this endpoint has none: each job says where it is told";
                return Err(wrong(format!("#/{name}"), detail.to_owned()));
            }
        }
        if let Some(url) = url {
            endpoint.url = Some(checked_url(&url, policy)?);
        }
        if let Some(events) = events {
            endpoint.events = each_once(&events);
        }
        if let Some(description) = description {
            endpoint.description = checked_description(description)?;
        }
        match enabled {
            Some(true) => endpoint.disabled = None,
            Some(false) if endpoint.disabled.is_none() => {
                endpoint.disabled = Some(Disabled { because: DisabledBecause::Requested, at: now });
            }
            Some(false) | None => {}
        }
        endpoint.version += 1;
        Ok(endpoint)
    }
}
