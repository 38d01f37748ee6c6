//! Webhook endpoints and the log of deliveries. A tenant sees its own only.

mod change;
mod create;
mod delete;
mod deliveries;
mod read;
mod replay;
mod rotate;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use aisle_shared::domain::{Endpoint, EndpointId, Event, Timestamp};
use aisle_shared::fetch::FetchPolicy;
use aisle_shared::store::{MAX_ENDPOINTS, StoreError};
use aisle_shared::webhook::{Secret, receiver};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::intake::wrong;
use crate::problem::{Code, FieldError, Problem};
use crate::view::{NewSecret, WebhookEndpoint, WebhookEvent};

/// Characters of a description at most.
const MAX_DESCRIPTION_CHARS: usize = 500;

/// Registers the operations.
pub(super) fn register(config: &mut ServiceConfig<'_>) {
    config
        .service(create::create)
        .service(read::list)
        .service(read::read)
        .service(change::change)
        .service(delete::delete)
        .service(rotate::rotate)
        .service(deliveries::list)
        .service(deliveries::read)
        .service(replay::replay);
}

/// The URL of a receiver, checked.
fn checked_url(url: &str, policy: &FetchPolicy) -> Result<String, Problem> {
    match receiver(url, policy) {
        Ok(target) => Ok(target.url().as_str().to_owned()),
        Err(error) => {
            let errors = vec![FieldError::at("#/url", error.to_string())];
            Err(Problem::new(Code::UrlNotAllowed, format!("#/url: {error}.")).with_errors(errors))
        }
    }
}

fn checked_description(description: String) -> Result<String, Problem> {
    if description.chars().count() <= MAX_DESCRIPTION_CHARS {
        return Ok(description);
    }
    let detail = format!("more than {MAX_DESCRIPTION_CHARS} characters");
    Err(wrong("#/description".to_owned(), detail))
}

/// Each event once, in the order of the document.
fn each_once(events: &[WebhookEvent]) -> Vec<Event> {
    Event::ALL.into_iter().filter(|event| events.contains(&(*event).into())).collect()
}

/// What the store's refusal of an endpoint means.
fn endpoint_refusal(id: &EndpointId, error: StoreError) -> Problem {
    match error {
        StoreError::NotFound => {
            Problem::new(Code::EndpointNotFound, format!("There is no webhook endpoint {id}."))
        }
        StoreError::Invalid(_) => {
            let detail =
                format!("There may be {MAX_ENDPOINTS} webhook endpoints; delete one first.");
            Problem::new(Code::TooManyEndpoints, detail)
        }
        StoreError::Unavailable { .. }
        | StoreError::Full { .. }
        | StoreError::Closed
        | StoreError::Exhausted { .. }
        | StoreError::KeyReused
        | StoreError::KeyInProgress
        | StoreError::Stale
        | StoreError::Corrupt(_)
        | StoreError::Config(_) => error.into(),
    }
}

/// An endpoint with the secret that was made for it.
fn with_secret(status: StatusCode, endpoint: Endpoint, secret: &Secret) -> HttpResponse {
    let location = WebhookEndpoint::path(&endpoint.id);
    let endpoint = WebhookEndpoint::new(endpoint, Timestamp::now());
    HttpResponse::build(status)
        .insert_header((LOCATION, location))
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(NewSecret { endpoint, secret: secret.reveal() })
}
