//! The key that a request brings.

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The key as it was sent: `Authorization: Bearer …` (RFC 6750), else
/// `X-Api-Key: …`. Other schemes of `Authorization` are not ours to read.
pub(super) fn presented(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| bearer(value.to_str().ok()?));
    bearer.or_else(|| headers.get(X_API_KEY)?.to_str().ok()).map(str::trim)
}

/// The token behind the scheme, whose case does not matter (RFC 9110).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn found(headers: &[(&str, &str)]) -> Option<String> {
        let request = headers
            .iter()
            .fold(TestRequest::get(), |request, header| request.append_header(*header))
            .to_http_request();
        presented(request.headers()).map(str::to_owned)
    }

    #[test]
    fn a_key_comes_as_bearer_or_in_a_header_of_its_own() {
        assert_eq!(found(&[("authorization", "Bearer k")]).as_deref(), Some("k"));
        assert_eq!(found(&[("authorization", "bearer  k ")]).as_deref(), Some("k"));
        assert_eq!(found(&[("x-api-key", "k")]).as_deref(), Some("k"));
        let both = [("authorization", "Basic dTpw"), ("x-api-key", "k")];
        assert_eq!(found(&both).as_deref(), Some("k"));
        assert_eq!(found(&[("authorization", "Basic dTpw")]), None);
        assert_eq!(found(&[]), None);
    }
}
