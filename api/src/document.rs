//! The OpenAPI document: what stands around the operations, and its text.

use bytes::Bytes;
use serde_json::{Value, json};
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, PathItem};

use crate::access::SCHEME;
use crate::problem::{Code, FieldError, ProblemBody, described};
use crate::view::WebhookMessage;

/// The document without operations; those are collected from the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "aisle",
        description = "Tells which category a product photograph belongs to. Post a photograph or \
            its URL to `POST /v1/jobs`, get a job at once, and read the likeliest categories from \
            `GET /v1/jobs/{id}` when a worker has run the model.\n\nUnless the service is open to \
            anyone, as it is at first on the machine that it runs on, each request brings an API \
            key: here, by *Authorize*. A key belongs to a tenant, who sees its own jobs only, and \
            has scopes: `jobs:write`, `jobs:read`, `jobs:cancel`, `webhooks:manage`, `admin`. One \
            that is revoked stops working within three seconds.\n\nErrors are problem documents \
            (RFC 9457, `application/problem+json`) with a stable `code`. Besides those that stand \
            with each operation: 404 `route_not_found` for an unknown address, 405 \
            `method_not_allowed` for a method that an address does not take.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "This service.")),
    tags(
        (name = "jobs", description = "Submit photographs and read their categories."),
        (name = "webhooks", description = "Be told when jobs end."),
        (name = "models", description = "What can be asked."),
        (name = "operations", description = "Health, metrics, this document."),
    ),
    components(schemas(ProblemBody<'static>, FieldError, Code, WebhookMessage)),
)]
pub(crate) struct Base;

/// Adds what all operations that need a key have in common: the scheme, and
/// the problems of those whose key will not do or cannot be looked up, or who
/// come from another site where no key is asked for.
pub(crate) fn complete(openapi: &mut utoipa::openapi::OpenApi) {
    let description = "An API key, as `aisle keys create` has printed it; `X-Api-Key: …` does as \
        well. Beside an operation stands the scope that its key must have.";
    let scheme = Http::builder().scheme(HttpAuthScheme::Bearer).description(Some(description));
    let components = openapi.components.get_or_insert_with(|| ComponentsBuilder::new().build());
    components.add_security_scheme(SCHEME, SecurityScheme::Http(scheme.build()));
    let refusals = described(&[
        Code::Unauthenticated,
        Code::InvalidApiKey,
        Code::InsufficientScope,
        Code::CrossSite,
        Code::HostNotAllowed,
        Code::TooManyWrongKeys,
        Code::Internal,
        Code::StoreUnavailable,
    ]);
    for PathItem { get, post, put, patch, delete, .. } in openapi.paths.paths.values_mut() {
        for operation in [get, post, put, patch, delete].into_iter().flatten() {
            let open = operation.security.as_ref().is_some_and(|security| {
                security.iter().all(|requirement| *requirement == SecurityRequirement::default())
            });
            if !open {
                for (status, response) in refusals.clone() {
                    operation.responses.responses.entry(status).or_insert(response);
                }
            }
        }
    }
}

/// The document as it is served.
pub(crate) struct Document(Bytes);

impl Document {
    /// Renders the document of the routes.
    pub(crate) fn new(openapi: &utoipa::openapi::OpenApi) -> Self {
        Self(render(openapi).into())
    }

    pub(crate) fn text(&self) -> Bytes {
        self.0.clone()
    }
}

/// The OpenAPI document as pretty JSON, with a line break at its end.
#[must_use]
pub fn document() -> String {
    render(&crate::openapi())
}

fn render(openapi: &utoipa::openapi::OpenApi) -> String {
    let mut value = serde_json::to_value(openapi).unwrap_or_default();
    form_first(&mut value);
    add_webhooks(&mut value);
    format!("{value:#}\n")
}

/// Moves the form to the front of the bodies that a job may come in: pages
/// made from the document offer the first one, and a form is what someone
/// with only a browser can fill in.
fn form_first(document: &mut Value) {
    const FORM: &str = "multipart/form-data";
    let content = document.pointer_mut("/paths/~1v1~1jobs/post/requestBody/content");
    if let Some(content) = content.and_then(Value::as_object_mut)
        && let Some(form) = content.remove(FORM)
    {
        content.shift_insert(0, FORM.to_owned(), form);
    }
}

/// Adds what the service sends to others. It is no route, so it is collected
/// from none.
fn add_webhooks(document: &mut Value) {
    let header = |name: &str, description: &str, example: &str| {
        json!({
            "name": name, "in": "header", "required": true, "description": description,
            "schema": {"type": "string"}, "example": example,
        })
    };
    let sent = json!({
        "tags": ["webhooks"],
        "operationId": "jobEnded",
        "summary": "A job has ended",
        "description": "Sent to every enabled endpoint that wants the event, and to the job's own \
            `webhook`, as Standard Webhooks 1.0.0 say. Verify the signature over the bytes of the \
            body before you read them, and refuse timestamps further than five minutes away.",
        "parameters": [
            header("webhook-id", "The message, the same in every attempt.",
                "msg_019a3c5e7b1f7c3a9d521f0e6a8b4c2d"),
            header("webhook-timestamp", "When it was sent, in seconds since 1970.", "1769847330"),
            header("webhook-signature", "`v1,` and the base64 of HMAC-SHA256 over \
                `{webhook-id}.{webhook-timestamp}.{body}`; during a rotation one by each secret, \
                a space between them.", "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="),
        ],
        "requestBody": {"required": true, "content": {"application/json": {
            "schema": {"$ref": "#/components/schemas/WebhookMessage"},
        }}},
        "responses": {
            "2XX": {"description": "The message was taken."},
            "410": {"description": "No further message is wanted: the endpoint is disabled."},
            "default": {"description": "The message is sent again later."},
        },
    });
    if let Some(document) = document.as_object_mut() {
        document.insert("webhooks".to_owned(), json!({"jobEnded": {"post": sent}}));
    }
}
