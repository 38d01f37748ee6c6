//! Requests that no route takes: an unknown address, or a known one asked in
//! the wrong way.

use actix_web::dev::ResourceDef;
use actix_web::http::header::HeaderValue;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use utoipa::openapi::{OpenApi, PathItem};

use crate::problem::{Code, Problem};

/// Every address with the methods that it takes, from the document.
pub(crate) struct Addresses(Vec<(ResourceDef, String)>);

impl Addresses {
    /// The addresses that a document describes.
    pub(crate) fn of(openapi: &OpenApi) -> Self {
        let paths = openapi.paths.paths.iter();
        Self(paths.map(|(path, item)| (ResourceDef::new(path.as_str()), methods(item))).collect())
    }

    fn methods_of(&self, path: &str) -> Option<&str> {
        self.0.iter().find(|(address, _)| address.is_match(path)).map(|(_, methods)| &**methods)
    }
}

/// The methods of an address as `Allow` has them. What answers GET answers
/// HEAD too: the envelope sees to it.
fn methods(item: &PathItem) -> String {
    let taken = [
        ("GET, HEAD", item.get.is_some()),
        ("POST", item.post.is_some()),
        ("PATCH", item.patch.is_some()),
        ("DELETE", item.delete.is_some()),
    ];
    let taken = taken.into_iter().filter_map(|(method, taken)| taken.then_some(method));
    taken.collect::<Vec<_>>().join(", ")
}

/// Answers a request that no route has taken.
pub(crate) async fn nowhere(
    request: HttpRequest,
    addresses: Data<Addresses>,
) -> Result<HttpResponse, Problem> {
    let Some(methods) = addresses.methods_of(request.path()) else {
        return Err(Problem::new(Code::RouteNotFound, "There is nothing at this address."));
    };
    let problem = Problem::new(Code::MethodNotAllowed, format!("This address takes {methods}."));
    Err(match HeaderValue::from_str(methods) {
        Ok(allow) => problem.allowing(allow),
        Err(_) => problem,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_the_document_knows_its_methods() {
        let addresses = Addresses::of(&crate::openapi());
        assert_eq!(addresses.methods_of("/v1/jobs"), Some("GET, HEAD, POST"));
        assert_eq!(addresses.methods_of("/v1/jobs/x"), Some("GET, HEAD, DELETE"));
        assert_eq!(addresses.methods_of("/v1/jobs/x/cancel"), Some("POST"));
        assert_eq!(addresses.methods_of("/v1/nothing"), None);
    }
}
