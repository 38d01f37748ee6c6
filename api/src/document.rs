//! The OpenAPI document: what stands around the operations, and its text.

use bytes::Bytes;
use serde_json::Value;
use utoipa::OpenApi;

use crate::problem::{Code, FieldError, ProblemBody};

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
        (name = "models", description = "What can be asked."),
        (name = "operations", description = "Health, metrics, this document."),
    ),
    components(schemas(ProblemBody<'static>, FieldError, Code)),
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
