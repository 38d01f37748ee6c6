//! What each operation needs, read from the document.

use actix_web::dev::ResourceDef;
use actix_web::http::Method;
use aisle_shared::domain::Scope;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, PathItem};

/// The name of the security scheme in the document.
pub(crate) const SCHEME: &str = "api_key";

/// Every address with what its operations need.
#[derive(Debug)]
pub(crate) struct Needs(Vec<(ResourceDef, Operations)>);

/// The operations of an address by their methods.
type Operations = Vec<(Method, Option<Scope>)>;

impl Needs {
    /// What the operations of a document need.
    pub(crate) fn of(openapi: &OpenApi) -> Self {
        let paths = openapi.paths.paths.iter();
        Self(paths.map(|(path, item)| (ResourceDef::new(path.as_str()), needs(item))).collect())
    }

    /// The scope that a request needs; `None` where it needs none, be it that
    /// the operation is for everyone or that there is no such operation.
    pub(super) fn scope(&self, method: &Method, path: &str) -> Option<Scope> {
        let addresses = self.0.iter().filter(|(address, _)| address.is_match(path));
        let mut operations = addresses.flat_map(|(_, operations)| operations);
        operations.find(|(of, _)| of == method).and_then(|(_, scope)| *scope)
    }
}

fn needs(item: &PathItem) -> Operations {
    let operations = [
        (Method::GET, &item.get),
        (Method::POST, &item.post),
        (Method::PUT, &item.put),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ];
    let there = operations.into_iter().filter_map(|(method, operation)| {
        operation.as_ref().map(|operation| (method, scope_of(operation)))
    });
    there.collect()
}

/// What stands with an operation: an empty requirement is for everyone. Where
/// nothing stands, or nothing that is understood, only [`Scope::Admin`] will
/// do.
fn scope_of(operation: &Operation) -> Option<Scope> {
    let stated =
        operation.security.as_ref().and_then(|security| serde_json::to_value(security).ok());
    let requirement = stated.as_ref().and_then(|stated| stated.get(0)?.as_object());
    if requirement.is_some_and(serde_json::Map::is_empty) {
        return None;
    }
    let word = requirement.and_then(|requirement| requirement.get(SCHEME)?.get(0)?.as_str());
    Some(word.and_then(Scope::from_word).unwrap_or(Scope::Admin))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(security: &str) -> OpenApi {
        let text = format!(
            r#"{{"openapi": "3.1.0", "info": {{"title": "t", "version": "1"}},
                "paths": {{"/v1/things/{{id}}": {{"get": {{"responses": {{}} {security}}}}}}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn scope(security: &str) -> Option<Scope> {
        Needs::of(&document(security)).scope(&Method::GET, "/v1/things/7")
    }

    #[test]
    fn an_operation_needs_what_stands_with_it() {
        assert_eq!(scope(r#", "security": [{"api_key": ["jobs:read"]}]"#), Some(Scope::JobsRead));
        assert_eq!(scope(r#", "security": [{}]"#), None);
    }

    #[test]
    fn an_operation_of_which_nothing_is_said_is_for_administrators() {
        for nothing in [
            "",
            r#", "security": []"#,
            r#", "security": [{"other": ["jobs:read"]}]"#,
            r#", "security": [{"api_key": []}]"#,
            r#", "security": [{"api_key": ["jobs:reed"]}]"#,
        ] {
            assert_eq!(scope(nothing), Some(Scope::Admin), "{nothing}");
        }
    }
}
