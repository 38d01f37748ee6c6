//! The OpenAPI document: what stands around the operations, and its text.

use bytes::Bytes;
use serde_json::{Value, json};
use utoipa::OpenApi;

use crate::problem::{Code, FieldError, ProblemBody};
use crate::view::WebhookMessage;

/// The document without operations; those are collected from the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "aisle",
        description = "Tells which category a product photograph belongs to. Post a photograph or \
            its URL to `POST /v1/jobs`, get a job at once, and read the likeliest categories from \
            `GET /v1/jobs/{id}` when a worker has run the model.\n\nErrors are problem documents \
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
