//! Headers on every answer.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};

use super::request::Request;

/// The request's id, in the request and in the answer.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Answers of the API are data: nothing in them may be run or framed.
const DATA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// Swagger UI runs its own scripts, styles itself inline, shows images that
/// stand in its styles, and talks to this service.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' \
     'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A year of HTTPS only (RFC 6797), for this very host.
const HTTPS_ONLY: &str = "max-age=31536000";

/// Adds what the answer to a request must carry; `fresh` says that it is what
/// was asked for, and not an error.
pub(super) fn add(headers: &mut HeaderMap, request: &Request, fresh: bool) {
    let is_docs = request.path.starts_with("/docs/");
    let policy = if is_docs { DOCS_POLICY } else { DATA_POLICY };
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    if !headers.contains_key(CACHE_CONTROL) {
        let caching = if is_docs && fresh { "max-age=3600" } else { "no-store" };
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    }
    if request.secure {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HTTPS_ONLY));
    }
    if let Ok(id) = HeaderValue::from_str(&request.id) {
        headers.insert(X_REQUEST_ID, id);
    }
}
