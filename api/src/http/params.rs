//! Query parameters, with problems that name the parameter.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;

use crate::problem::{Code, FieldError, Problem};

/// The query as a `T`.
#[derive(Debug)]
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned + 'static> FromRequest for Params<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::parse(request.query_string()))
    }
}

impl<T: DeserializeOwned> Params<T> {
    /// Reads a query.
    pub(crate) fn parse(query: &str) -> Result<Self, Problem> {
        parse(query).map(Self)
    }
}

fn parse<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let deserializer = serde_urlencoded::Deserializer::new(pairs);
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let path = error.path().to_string();
        let detail = error.into_inner().to_string();
        let place = if path == "." { "query".to_owned() } else { path };
        Problem::new(Code::InvalidQuery, format!("{place}: {detail}."))
            .with_errors(vec![FieldError::of_parameter(place, detail)])
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Page {
        limit: Option<u32>,
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        assert_eq!(parse::<Page>("limit=7").unwrap(), Page { limit: Some(7) });
        for query in ["limit=x", "limit=-1", "limit=", "limit=1&limit=2"] {
            let problem = parse::<Page>(query).unwrap_err();
            assert_eq!(problem.code(), Code::InvalidQuery, "{query}");
            assert!(problem.to_string().contains("limit"), "{problem}");
        }
        assert!(parse::<Page>("limt=7").unwrap_err().to_string().contains("limt"));
    }
}
