//! The OpenAPI document as text. The committed `openapi.json` beside this
//! crate is what clients are generated from; tests hold it to the routes and
//! to what readers of such a document rely on.

mod lint;

pub use lint::lint;

/// The OpenAPI document of the service as pretty JSON, with a line break at
/// its end.
#[must_use]
pub fn document() -> String {
    aisle_api::document()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMITTED: &str = include_str!("../openapi.json");

    #[test]
    fn the_committed_document_is_that_of_the_routes() {
        assert!(
            document() == COMMITTED,
            "openapi/openapi.json is not what the routes say; `make openapi` rewrites it"
        );
    }

    #[test]
    fn the_document_has_what_its_readers_rely_on() {
        let complaints = lint(&serde_json::from_str(&document()).unwrap());
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }
}
