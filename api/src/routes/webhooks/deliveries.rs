//! `GET /v1/webhook-deliveries` and `GET /v1/webhook-deliveries/{id}`

use actix_web::http::header::LINK;
use actix_web::web::{Data, Json};
use actix_web::{HttpResponse, get};
use aisle_shared::domain::{DeliveryId, EndpointId, JobId};
use aisle_shared::store::{DeliveryFilter, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::caller::Caller;
use crate::context::Context;
use crate::http::{DeliveryCursor, DeliveryPath, Params};
use crate::problem::{Code, FieldError, Problem, problems};
use crate::view::{DeliveryStatus, WebhookDelivery, WebhookDeliveryList};

/// Deliveries of a page at most.
const MAX_LIMIT: usize = 100;

/// Which deliveries to list.
#[derive(Debug, Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveriesQuery {
    /// Only deliveries to this endpoint; `callbacks` for jobs' own receivers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>, pattern = "^[A-Za-z0-9][A-Za-z0-9_]{0,39}$", nullable = false)]
    endpoint: Option<EndpointId>,
    /// Only deliveries that tell of this job.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(format = Uuid, nullable = false)]
    job: Option<String>,
    /// Only deliveries in this status.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline, nullable = false)]
    status: Option<DeliveryStatus>,
    /// Deliveries at most.
    #[serde(default = "usual")]
    #[param(minimum = 1, maximum = 100, default = 20, required = false)]
    limit: usize,
    /// The `next_cursor` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(pattern = "^[A-Za-z0-9_-]+$", nullable = false)]
    cursor: Option<String>,
}

fn usual() -> usize {
    20
}

problems!(ListProblems: InvalidQuery, InvalidCursor, Internal, StoreUnavailable);
problems!(ReadProblems: DeliveryNotFound, Internal, StoreUnavailable);

/// List webhook deliveries
///
/// The log of what was sent and what came of it, newest first. A delivery can
/// be read for seven days after it was delivered or given up.
#[utoipa::path(
    tag = "webhooks",
    security(("api_key" = ["webhooks:manage"])),
    operation_id = "listWebhookDeliveries",
    params(DeliveriesQuery),
    responses(
        (status = 200, body = WebhookDeliveryList, description = "A page of deliveries.", headers(
            ("Link" = String, description = "`rel=\"next\"`: the next page, if there is one (RFC 8288)."),
        )),
        ListProblems,
    ),
)]
#[get("/v1/webhook-deliveries")]
pub(crate) async fn list(
    caller: Caller,
    context: Data<Context>,
    query: Params<DeliveriesQuery>,
) -> Result<HttpResponse, Problem> {
    let query = query.0;
    let after = query.checked()?.map(|cursor| cursor.0);
    let filter = query.filter()?;
    let store = context.store();
    let page = store.deliveries(&caller.tenant, &filter, after, query.limit).await?;
    let next_cursor = page.next.map(|position| DeliveryCursor(position).to_string());
    let data = page.deliveries.into_iter().map(WebhookDelivery::new).collect();
    let mut response = HttpResponse::Ok();
    if let Some(cursor) = &next_cursor {
        response.insert_header((LINK, query.link_to(cursor)?));
    }
    Ok(response.json(WebhookDeliveryList { data, next_cursor }))
}

/// Read a webhook delivery
#[utoipa::path(
    tag = "webhooks",
    security(("api_key" = ["webhooks:manage"])),
    operation_id = "readWebhookDelivery",
    params(("id" = String, Path, description = "The delivery's id.")),
    responses(
        (status = 200, body = WebhookDelivery, description = "The delivery with its last attempts."),
        ReadProblems,
    ),
)]
#[get("/v1/webhook-deliveries/{id}")]
pub(crate) async fn read(
    caller: Caller,
    context: Data<Context>,
    id: DeliveryPath,
) -> Result<Json<WebhookDelivery>, Problem> {
    let found = context.store().delivery(&caller.tenant, &id.0).await;
    let delivery = found.map_err(|error| delivery_refusal(&id.0, error))?;
    Ok(Json(WebhookDelivery::new(delivery)))
}

/// What the store's refusal of a delivery means.
pub(super) fn delivery_refusal(id: &DeliveryId, error: StoreError) -> Problem {
    if matches!(error, StoreError::NotFound) {
        let detail = format!("There is no webhook delivery {id}.");
        Problem::new(Code::DeliveryNotFound, detail)
    } else {
        error.into()
    }
}

impl DeliveriesQuery {
    fn checked(&self) -> Result<Option<DeliveryCursor>, Problem> {
        if !(1..=MAX_LIMIT).contains(&self.limit) {
            return Err(wrong("limit", &format!("not from 1 to {MAX_LIMIT}")));
        }
        self.cursor.as_deref().map(str::parse).transpose()
    }

    fn filter(&self) -> Result<DeliveryFilter, Problem> {
        let job = self.job.as_deref().map(str::parse::<JobId>).transpose();
        Ok(DeliveryFilter {
            endpoint: self.endpoint.clone(),
            job: job.map_err(|error| wrong("job", &error.to_string()))?,
            status: self.status.map(Into::into),
        })
    }

    /// The same list from another place on.
    fn link_to(self, cursor: &str) -> Result<String, Problem> {
        let next = Self { cursor: Some(cursor.to_owned()), ..self };
        let query = serde_urlencoded::to_string(next).map_err(Problem::internal)?;
        Ok(format!("</v1/webhook-deliveries?{query}>; rel=\"next\""))
    }
}

fn wrong(name: &str, detail: &str) -> Problem {
    Problem::new(Code::InvalidQuery, format!("{name}: {detail}."))
        .with_errors(vec![FieldError::of_parameter(name, detail)])
}
