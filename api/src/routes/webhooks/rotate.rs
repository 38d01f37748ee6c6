//! `POST /v1/webhook-endpoints/{id}/rotate-secret`

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use aisle_shared::domain::{EndpointId, Timestamp};
use aisle_shared::store::StoreError;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{endpoint_refusal, with_secret};
use crate::caller::Caller;
use crate::context::Context;
use crate::http::EndpointPath;
use crate::intake::{Document, wrong};
use crate::problem::{Problem, problems};
use crate::signing;
use crate::view::NewSecret;

/// Seconds that two secrets may sign together at most: a week.
const MAX_OVERLAP: u64 = 7 * 24 * 60 * 60;

/// How to change over to a new secret.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretRotation {
    /// Seconds for which the secret before goes on signing beside the new one;
    /// 0 where it has become known to others.
    #[serde(default = "a_day")]
    #[schema(maximum = 604_800, default = 86_400, required = false)]
    overlap_seconds: u64,
}

impl Default for SecretRotation {
    fn default() -> Self {
        Self { overlap_seconds: a_day() }
    }
}

fn a_day() -> u64 {
    24 * 60 * 60
}

problems!(RotateProblems:
    InvalidRequest, UploadTooSlow, BodyTooLarge, UnsupportedMedia, EndpointNotFound,
    EndpointChanged, TooManyEndpoints, Internal, WebhooksOff, StoreUnavailable);

/// Rotate an endpoint's secret
///
/// The answer holds the new secret, and it is not shown again. For the time
/// of the overlap messages are signed by both, so that nothing is refused
/// while you change over. A further rotation in that time ends the oldest.
///
/// `POST /v1/webhook-endpoints/callbacks/rotate-secret` is also how you get
/// the secret for receivers that jobs name themselves (`webhook` of a job),
/// best before the first such job.
#[utoipa::path(
    tag = "webhooks",
    security(("api_key" = ["webhooks:manage"])),
    operation_id = "rotateWebhookSecret",
    params(("id" = String, Path, description = "The endpoint's id, or `callbacks`.")),
    request_body(content = Option<SecretRotation>, examples(
        ("usual" = (summary = "Change over within a day", value = json!({}))),
        ("leaked" = (summary = "The secret has leaked", value = json!({"overlap_seconds": 0}))),
    )),
    responses(
        (status = 200, body = NewSecret, description = "The endpoint with its new secret.", headers(
            ("Location" = String, description = "The endpoint's address."),
        )),
        RotateProblems,
    ),
)]
#[post("/v1/webhook-endpoints/{id}/rotate-secret")]
pub(crate) async fn rotate(
    caller: Caller,
    context: Data<Context>,
    id: EndpointPath,
    body: Document<Option<SecretRotation>>,
) -> Result<HttpResponse, Problem> {
    let overlap = body.0.unwrap_or_default().checked()?;
    let (store, id) = (context.store(), id.0);
    let (secret, sealed) = signing::new_secret(&context, &caller.tenant, &id)?;
    let endpoint = match store.endpoint(&caller.tenant, &id).await {
        Ok(mut endpoint) => {
            let before = std::mem::take(&mut endpoint.secrets);
            endpoint.secrets = signing::rotated(before, sealed, Timestamp::now(), overlap);
            endpoint.version += 1;
            endpoint
        }
        Err(StoreError::NotFound) if id == EndpointId::callbacks() => {
            signing::callbacks(&caller.tenant, sealed)
        }
        Err(error) => return Err(endpoint_refusal(&id, error)),
    };
    store.put_endpoint(&endpoint).await.map_err(|error| endpoint_refusal(&id, error))?;
    tracing::info!(tenant = %caller.tenant, endpoint = %id, "webhook secret rotated");
    Ok(with_secret(StatusCode::OK, endpoint, &secret))
}

impl SecretRotation {
    fn checked(&self) -> Result<Duration, Problem> {
        if self.overlap_seconds <= MAX_OVERLAP {
            return Ok(Duration::from_secs(self.overlap_seconds));
        }
        Err(wrong("#/overlap_seconds".to_owned(), format!("more than {MAX_OVERLAP}")))
    }
}
