//! `DELETE /v1/webhook-endpoints/{id}`

use actix_web::web::Data;
use actix_web::{HttpResponse, delete};

use super::endpoint_refusal;
use crate::caller::Caller;
use crate::context::Context;
use crate::http::EndpointPath;
use crate::problem::{Problem, problems};

problems!(DeleteProblems: EndpointNotFound, Internal, StoreUnavailable);

/// Delete a webhook endpoint
///
/// What is pending for it is given up, and its secrets are forgotten.
/// `callbacks` is made anew, with another secret, when it is next needed.
#[utoipa::path(
    tag = "webhooks",
    security(("api_key" = ["webhooks:manage"])),
    operation_id = "deleteWebhookEndpoint",
    params(("id" = String, Path, description = "The endpoint's id, or `callbacks`.")),
    responses((status = 204, description = "Deleted."), DeleteProblems),
)]
#[delete("/v1/webhook-endpoints/{id}")]
pub(crate) async fn delete(
    caller: Caller,
    context: Data<Context>,
    id: EndpointPath,
) -> Result<HttpResponse, Problem> {
    let removed = context.store().remove_endpoint(&caller.tenant, &id.0).await;
    removed.map_err(|error| endpoint_refusal(&id.0, error))?;
    tracing::info!(tenant = %caller.tenant, endpoint = %id.0, "webhook endpoint deleted");
    Ok(HttpResponse::NoContent().finish())
}
