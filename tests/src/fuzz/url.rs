//! URLs and the redirects that follow them.

use std::net::{IpAddr, Ipv4Addr};

use aisle_shared::fetch::{FetchPolicy, Target};
use url::Host;

use super::address::public;

/// A URL and, behind a space, where it redirects to. What is accepted must be
/// public by a second opinion, and must mean one host to every parser.
///
/// # Panics
/// When it does not.
pub fn url(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let policy = FetchPolicy::default();
    // No URL that is accepted holds a space.
    let (first, second) = text.split_once(' ').unwrap_or((text, ""));
    let Ok(target) = Target::parse(first, &policy) else { return };
    check(&target, &policy);
    one_host(first, &target);
    if let Ok(next) = target.redirected(second, &policy) {
        check(&next, &policy);
        assert!(target.url().scheme() == "http" || next.url().scheme() == "https", "{next}");
        if second.starts_with("http://") || second.starts_with("https://") {
            one_host(second, &next);
        }
    }
}

/// Holds a target against all that an accepted URL is promised to be.
fn check(target: &Target, policy: &FetchPolicy) {
    let url = target.url();
    let text = url.as_str();
    assert!(text.len() <= 2_048 && text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
    assert!(matches!(url.scheme(), "http" | "https"), "{text}");
    assert!(url.username().is_empty() && url.password().is_none(), "{text}");
    assert!(matches!(url.port_or_known_default(), Some(80 | 443 | 8080 | 8443)), "{text}");
    match url.host() {
        Some(Host::Ipv4(address)) => assert!(public(IpAddr::V4(address)), "{text}"),
        Some(Host::Ipv6(address)) => assert!(public(IpAddr::V6(address)), "{text}"),
        Some(Host::Domain(name)) => check_name(name),
        None => panic!("no host: {text}"),
    }
    assert_eq!(Target::parse(text, policy).as_ref(), Ok(target), "{text}");
    assert!(!target.to_string().contains(['?', '#', '@']) || url.path().contains('@'), "{target}");
    one_host(text, target);
    // The client goes through this type: a URL that it does not take is no URL to accept.
    let uri: http::Uri = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(uri.host(), url.host_str(), "{text}");
    assert_eq!(uri.port_u16(), url.port(), "{text}");
}

fn check_name(name: &str) {
    let name = name.strip_suffix('.').unwrap_or(name);
    let labels: Vec<_> = name.split('.').collect();
    assert!(labels.len() > 1 && labels.iter().all(|label| !label.is_empty()), "{name}");
    assert!(name.len() <= 253 && labels.iter().all(|label| label.len() <= 63), "{name}");
    let last = labels.last().copied().unwrap_or_default();
    let private =
        ["localhost", "local", "internal", "lan", "corp", "intranet", "onion", "localdomain"];
    assert!(!private.contains(&last) && !name.ends_with(".home.arpa"), "{name}");
    assert_eq!(inet_aton(name), None, "{name}");
    assert!(name.parse::<IpAddr>().is_err(), "{name}");
}

/// Holds the host that a plain reading of the text finds, and the one that
/// the `http` crate finds, against the target's.
fn one_host(text: &str, target: &Target) {
    let host = target.url().host().map(|host| host.to_owned());
    let plain = plain_host(text).unwrap_or_else(|| panic!("no host to a plain reading: {text}"));
    assert_eq!(Host::parse(plain).ok(), host, "{text}");
    if let Ok(uri) = text.parse::<http::Uri>()
        && let Some(found) = uri.host()
    {
        assert_eq!(Host::parse(found).ok(), host, "{text}");
    }
}

/// The host by RFC 3986, section 3.2: between the two slashes and the next
/// slash, question mark or number sign, without user information and port.
fn plain_host(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    if host.starts_with('[') {
        return host.split_inclusive(']').next();
    }
    host.split(':').next()
}

/// What `inet_aton` reads (POSIX): one to four numbers in decimal, octal or
/// hexadecimal, the last of which fills the bytes that are left.
fn inet_aton(text: &str) -> Option<Ipv4Addr> {
    let number = |part: &str| -> Option<u32> {
        match part.strip_prefix("0x").or_else(|| part.strip_prefix("0X")) {
            Some("") => None,
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None if part.len() > 1 && part.starts_with('0') => u32::from_str_radix(part, 8).ok(),
            None if part.bytes().all(|byte| byte.is_ascii_digit()) => part.parse().ok(),
            None => None,
        }
    };
    let parts: Vec<u32> = text.split('.').map(number).collect::<Option<_>>()?;
    let (last, first) = parts.split_last()?;
    if first.len() > 3 || first.iter().any(|part| *part > 255) {
        return None;
    }
    let left = 32 - 8 * u32::try_from(first.len()).ok()?;
    if left < 32 && *last >= 1 << left {
        return None;
    }
    let high = first.iter().fold(0_u32, |bits, part| bits << 8 | part);
    Some(Ipv4Addr::from(high.checked_shl(left).unwrap_or(0) | last))
}
