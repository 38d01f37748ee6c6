//! `POST /v1/webhook-deliveries/{id}/replay`

use actix_web::web::Data;
use actix_web::{HttpResponse, post};

use super::deliveries::delivery_refusal;
use crate::caller::Caller;
use crate::context::Context;
use crate::http::DeliveryPath;
use crate::problem::{Problem, problems};
use crate::view::WebhookDelivery;

problems!(ReplayProblems: DeliveryNotFound, Internal, StoreUnavailable);

/// Send a webhook again
///
/// Makes the delivery due now, however it stands, its schedule from the start.
/// Its `webhook-id` stays the same. One that is being sent at this moment is
/// left alone.
#[utoipa::path(
    tag = "webhooks",
    security(("api_key" = ["webhooks:manage"])),
    operation_id = "replayWebhookDelivery",
    params(("id" = String, Path, description = "The delivery's id.")),
    responses(
        (status = 202, body = WebhookDelivery, description = "It will be sent."),
        ReplayProblems,
    ),
)]
#[post("/v1/webhook-deliveries/{id}/replay")]
pub(crate) async fn replay(
    caller: Caller,
    context: Data<Context>,
    id: DeliveryPath,
) -> Result<HttpResponse, Problem> {
    let (store, id) = (context.store(), id.0);
    let refusal = |error| delivery_refusal(&id, error);
    store.replay_delivery(&caller.tenant, &id).await.map_err(refusal)?;
    let delivery = store.delivery(&caller.tenant, &id).await.map_err(refusal)?;
    tracing::info!(delivery = %id, "webhook is to be sent again");
    Ok(HttpResponse::Accepted().json(WebhookDelivery::new(delivery)))
}
