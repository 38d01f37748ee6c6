//! `GET /v1/webhook-endpoints` and `GET /v1/webhook-endpoints/{id}`

use actix_web::get;
use actix_web::web::{Data, Json};
use aisle_shared::domain::Timestamp;

use super::endpoint_refusal;
use crate::caller::Caller;
use crate::context::Context;
use crate::http::EndpointPath;
use crate::problem::{Problem, problems};
use crate::view::{WebhookEndpoint, WebhookEndpointList};

problems!(ListProblems: Internal, StoreUnavailable);
problems!(ReadProblems: EndpointNotFound, Internal, StoreUnavailable);

/// List webhook endpoints
///
/// There are 50 at most. Secrets are not shown.
#[utoipa::path(
    tag = "webhooks",
    security(("api_key" = ["webhooks:manage"])),
    operation_id = "listWebhookEndpoints",
    responses(
        (status = 200, body = WebhookEndpointList, description = "All of them, oldest first."),
        ListProblems,
    ),
)]
#[get("/v1/webhook-endpoints")]
pub(crate) async fn list(
    caller: Caller,
    context: Data<Context>,
) -> Result<Json<WebhookEndpointList>, Problem> {
    let endpoints = context.store().endpoints(&caller.tenant).await?;
    let now = Timestamp::now();
    let shown = endpoints.into_iter().map(|endpoint| WebhookEndpoint::new(endpoint, now));
    Ok(Json(WebhookEndpointList { data: shown.collect() }))
}

/// Read a webhook endpoint
///
/// Its secret is not shown.
#[utoipa::path(
    tag = "webhooks",
    security(("api_key" = ["webhooks:manage"])),
    operation_id = "readWebhookEndpoint",
    params(("id" = String, Path, description = "The endpoint's id, or `callbacks`.")),
    responses(
        (status = 200, body = WebhookEndpoint, description = "The endpoint."),
        ReadProblems,
    ),
)]
#[get("/v1/webhook-endpoints/{id}")]
pub(crate) async fn read(
    caller: Caller,
    context: Data<Context>,
    id: EndpointPath,
) -> Result<Json<WebhookEndpoint>, Problem> {
    let found = context.store().endpoint(&caller.tenant, &id.0).await;
    let endpoint = found.map_err(|error| endpoint_refusal(&id.0, error))?;
    Ok(Json(WebhookEndpoint::new(endpoint, Timestamp::now())))
}
