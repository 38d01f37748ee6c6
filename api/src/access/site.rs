//! What keeps web pages out of an API that asks for no key.
//!
//! A browser on a machine that reaches the API runs pages of anyone. With a
//! key such a page can do nothing, as it has none. Without one, a page could
//! post jobs (cross-site request forgery), or read all of them after its own
//! name was made to lead here (DNS rebinding).

use std::net::IpAddr;
use std::str::FromStr;

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use actix_web::http::uri::Authority;

use crate::problem::{Code, Problem};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Names under which an API without keys may be called, beside those that no
/// stranger can have: IP addresses, `localhost` and what is below it, and
/// names without a dot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowedHosts(Vec<String>);

impl FromStr for AllowedHosts {
    type Err = String;

    /// Names with commas between them, in any case; `.example.com` stands for
    /// every name below `example.com`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let names = text.split(',').map(|name| name.trim().to_ascii_lowercase());
        let is_name = |name: &String| {
            let labels = name.strip_prefix('.').unwrap_or(name);
            labels.split('.').all(|label| !label.is_empty() && label.chars().all(in_label))
        };
        let (names, others): (Vec<_>, Vec<_>) = names.partition(is_name);
        match others.first() {
            None => Ok(Self(names)),
            Some(other) => Err(format!("{other:?} is no host name")),
        }
    }
}

fn in_label(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

impl AllowedHosts {
    fn allow(&self, host: &str) -> bool {
        // A name may end in the dot of the root.
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        is_nobodys(&host) || self.0.iter().any(|allowed| covers(allowed, &host))
    }
}

/// Whether no stranger can make the host lead elsewhere.
fn is_nobodys(host: &str) -> bool {
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_address = inside.unwrap_or(host).parse::<IpAddr>().is_ok();
    let has_label = !host.is_empty() && !host.contains('.');
    is_address || has_label || host.ends_with(".localhost")
}

fn covers(allowed: &str, host: &str) -> bool {
    host == allowed || (allowed.starts_with('.') && host.ends_with(allowed))
}

/// Refuses what a page of another site sends.
///
/// # Errors
/// [`Code::HostNotAllowed`] and [`Code::CrossSite`].
pub(super) fn check(request: &ServiceRequest, allowed: &AllowedHosts) -> Result<(), Problem> {
    let host = match request.uri().authority() {
        // In HTTP/2, and in a request to a proxy.
        Some(authority) => Some(authority.as_str()),
        None => text(request.headers(), &HOST),
    };
    // Who sends no host is no browser.
    let Some(host) = host else { return Ok(()) };
    let name = host.parse::<Authority>();
    if !name.is_ok_and(|authority| allowed.allow(authority.host())) {
        return Err(Problem::new(
            Code::HostNotAllowed,
            "The API asks for no key, so it is called by an address, or by a name in \
             AISLE_ALLOWED_HOSTS.",
        ));
    }
    // What only reads is safe: without leave (CORS) no page sees the answer.
    if !request.method().is_safe() && is_cross_site(request.headers(), host) {
        return Err(Problem::new(
            Code::CrossSite,
            "The API asks for no key, so pages of other sites may not call it.",
        ));
    }
    Ok(())
}

/// Whether a browser says that another site's page asks: in its fetch metadata
/// (W3C), or, before these, by an origin that is not the host (RFC 6454).
/// Whoever sends neither is no browser.
fn is_cross_site(headers: &HeaderMap, host: &str) -> bool {
    if headers.contains_key(SEC_FETCH_SITE) {
        return !matches!(text(headers, &SEC_FETCH_SITE), Some("same-origin" | "none"));
    }
    if !headers.contains_key(ORIGIN) {
        return false;
    }
    let origin = text(headers, &ORIGIN).and_then(|origin| Some(origin.split_once("://")?.1));
    !origin.is_some_and(|origin| origin.eq_ignore_ascii_case(host))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    // What is no text is no name that is allowed.
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use actix_web::http::Method;

    use super::*;
    use actix_web::test::TestRequest;

    fn said(method: Method, headers: &[(&str, &str)]) -> Option<&'static str> {
        let request = TestRequest::with_uri("/v1/jobs").method(method);
        let request =
            headers.iter().fold(request, |request, header| request.insert_header(*header));
        let allowed = "shop.example, .cluster.local".parse().unwrap();
        check(&request.to_srv_request(), &allowed).err().map(|problem| problem.code().as_str())
    }

    fn host(host: &str) -> Option<&'static str> {
        said(Method::GET, &[("host", host)])
    }

    #[test]
    fn names_that_no_stranger_can_have_are_called() {
        for name in ["127.0.0.1:8080", "[::1]:8080", "192.168.1.7", "localhost:8080", "api:8080"] {
            assert_eq!(host(name), None, "{name}");
        }
        for name in ["LOCALHOST", "aisle.localhost:1", "localhost.", "Shop.Example"] {
            assert_eq!(host(name), None, "{name}");
        }
        assert_eq!(host("aisle.shop.svc.cluster.local:8080"), None);
        assert_eq!(said(Method::POST, &[]), None);
    }

    #[test]
    fn a_name_that_anyone_could_have_is_none_of_ours() {
        for name in ["rebind.example", "127.0.0.1.rebind.example:8080", "notshop.example", ""] {
            assert_eq!(host(name), Some("host_not_allowed"), "{name}");
        }
        for name in ["127.0.0.1/x", "localhost.example", "cluster.local", "x y", ".."] {
            assert_eq!(host(name), Some("host_not_allowed"), "{name}");
        }
    }

    #[test]
    fn a_page_of_another_site_changes_nothing() {
        let here = ("host", "localhost:8080");
        for site in ["cross-site", "same-site", "", "other"] {
            let headers = [here, ("sec-fetch-site", site), ("origin", "http://localhost:8080")];
            assert_eq!(said(Method::POST, &headers), Some("cross_site_request"), "{site}");
            assert_eq!(said(Method::GET, &headers), None, "{site}");
        }
        for origin in ["http://evil.example", "http://localhost:80", "http://localhost", "null"] {
            let headers = [here, ("origin", origin)];
            assert_eq!(said(Method::DELETE, &headers), Some("cross_site_request"), "{origin}");
        }
    }

    #[test]
    fn a_page_of_its_own_changes_what_it_likes() {
        let here = ("host", "localhost:8080");
        for site in ["same-origin", "none"] {
            assert_eq!(said(Method::POST, &[here, ("sec-fetch-site", site)]), None);
        }
        assert_eq!(said(Method::POST, &[here, ("origin", "http://LOCALHOST:8080")]), None);
        assert_eq!(said(Method::POST, &[here]), None);
    }

    #[test]
    fn what_is_no_name_is_not_allowed_at_the_start() {
        for text in ["", "a,,b", "https://shop.example", "shop.example:80", "*", "."] {
            assert!(text.parse::<AllowedHosts>().is_err(), "{text}");
        }
    }
}
