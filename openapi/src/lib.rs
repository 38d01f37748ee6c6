//! The OpenAPI document as text. The committed `openapi.json` beside this
//! crate is what clients are generated from; a test holds it to the routes.

/// The OpenAPI document of the service as pretty JSON, with a line break at
/// its end.
#[must_use]
pub fn document() -> String {
    aisle_api::document()
}
