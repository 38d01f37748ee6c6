//! A URL that may be fetched, parsed once. What was checked is what is
//! fetched: nothing behind this looks at the caller's text again.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use super::FetchPolicy;

/// Bytes that a URL may have.
const MAX_URL_BYTES: usize = 2_048;

/// Bytes of a host name and of each of its labels at most (RFC 1035, section 2.3.4).
const MAX_NAME_BYTES: usize = 253;
const MAX_LABEL_BYTES: usize = 63;

/// Names that never stand for a host on the open internet, alone or as the
/// last labels of a longer name.
const PRIVATE_NAMES: [&str; 9] = [
    "localhost",
    "local",
    "internal",
    "lan",
    "home.arpa",
    "corp",
    "intranet",
    "onion",
    "localdomain",
];

/// Why a text is no URL that may be fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TargetError(pub String);

impl TargetError {
    fn new(reason: &str) -> Self {
        Self(reason.to_owned())
    }
}

/// A URL that may be fetched as far as can be told without resolving it.
///
/// It prints without its query, which may hold a signature.
#[derive(Clone, PartialEq, Eq)]
pub struct Target(Url);

impl Target {
    /// Parses and checks a URL.
    ///
    /// # Errors
    /// When it is no URL, or breaks the policy as it stands.
    pub fn parse(text: &str, policy: &FetchPolicy) -> Result<Self, TargetError> {
        check_text(text)?;
        check_form(text)?;
        let url = Url::parse(text).map_err(|error| TargetError(format!("not a URL: {error}")))?;
        Self::check(url, policy)
    }

    /// Where a redirect from here leads, checked as if it had been given by
    /// the caller.
    ///
    /// # Errors
    /// When the location is no URL, breaks the policy, or gives up TLS.
    pub fn redirected(&self, location: &str, policy: &FetchPolicy) -> Result<Self, TargetError> {
        check_text(location)?;
        check_reference(location)?;
        let url = self.0.join(location).map_err(|_| TargetError::new("not a URL"))?;
        if self.0.scheme() == "https" && url.scheme() != "https" {
            return Err(TargetError::new("it leads from https to an unencrypted host"));
        }
        Self::check(url, policy)
    }

    /// The same target held against a policy that may be another than the
    /// one it was parsed under.
    ///
    /// # Errors
    /// When it breaks that policy.
    pub fn under(&self, policy: &FetchPolicy) -> Result<Self, TargetError> {
        Self::check(self.0.clone(), policy)
    }

    /// The URL.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.0
    }

    fn check(mut url: Url, policy: &FetchPolicy) -> Result<Self, TargetError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(TargetError::new("the scheme must be http or https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(user_information());
        }
        if url.as_str().len() > MAX_URL_BYTES {
            return Err(too_long());
        }
        if !url.port_or_known_default().is_some_and(|port| policy.allows_port(port)) {
            return Err(TargetError(format!("the port must be one of {:?}", policy.ports)));
        }
        match url.host() {
            Some(Host::Ipv4(address)) => check_address(IpAddr::V4(address), policy)?,
            Some(Host::Ipv6(address)) => check_address(IpAddr::V6(address), policy)?,
            Some(Host::Domain(name)) => check_name(name, policy)?,
            None => return Err(TargetError::new("a URL must name a host")),
        }
        url.set_fragment(None);
        Ok(Self(url))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0.origin().ascii_serialization(), self.0.path())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

/// A URL parser drops tabs and newlines and turns backslashes into slashes,
/// so the text is checked before it is parsed.
fn check_text(text: &str) -> Result<(), TargetError> {
    if text.len() > MAX_URL_BYTES {
        return Err(too_long());
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err(TargetError::new(
            "a URL must not hold control characters, spaces or backslashes",
        ));
    }
    Ok(())
}

/// `http:host`, `http:/host` and `http:///host` mean different hosts to
/// different parsers; only `http://host` means one to all.
fn check_form(text: &str) -> Result<(), TargetError> {
    let (scheme, rest) = text.split_once(':').ok_or_else(|| TargetError::new("not a URL"))?;
    if !is_http(scheme) {
        return Err(TargetError::new("the scheme must be http or https"));
    }
    check_authority(rest)
}

/// The same for a redirect's location, which need not name a host: one that
/// does has to do so in the form that means one to all.
fn check_reference(location: &str) -> Result<(), TargetError> {
    match location.split_once(':') {
        Some((scheme, rest)) if is_http(scheme) => check_authority(rest),
        Some(_) | None if location.starts_with("//") => check_authority(location),
        Some(_) | None => Ok(()),
    }
}

fn is_http(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// What follows a scheme. An empty user name is gone once the text is parsed,
/// so it is looked for here.
fn check_authority(rest: &str) -> Result<(), TargetError> {
    let Some(rest) = rest.strip_prefix("//").filter(|rest| !rest.starts_with('/')) else {
        return Err(TargetError::new("a URL must name a host after two slashes"));
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') { Err(user_information()) } else { Ok(()) }
}

fn check_address(address: IpAddr, policy: &FetchPolicy) -> Result<(), TargetError> {
    if policy.allows_address(address) {
        Ok(())
    } else {
        Err(TargetError::new("the address is not a public one"))
    }
}

fn check_name(name: &str, policy: &FetchPolicy) -> Result<(), TargetError> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.split('.').any(str::is_empty) {
        return Err(TargetError::new("the host name has an empty label"));
    }
    // A URL may hold others, but no name in the DNS does that one could fetch from.
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.len() > MAX_NAME_BYTES || name.split('.').any(|label| label.len() > MAX_LABEL_BYTES) {
        return Err(TargetError::new("the host name is too long"));
    }
    if !name.chars().all(is_host) {
        return Err(TargetError::new("the host name holds characters that no host name has"));
    }
    if policy.danger_allow_private_networks {
        return Ok(());
    }
    if !name.contains('.') {
        return Err(TargetError::new("the host name must have a dot"));
    }
    let is_under = |private: &str| {
        name.strip_suffix(private).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    if PRIVATE_NAMES.into_iter().any(is_under) {
        return Err(TargetError::new("the host name is not a public one"));
    }
    Ok(())
}

fn user_information() -> TargetError {
    TargetError::new("a URL must not hold a user name or password")
}

fn too_long() -> TargetError {
    TargetError(format!("a URL has at most {MAX_URL_BYTES} bytes"))
}

#[cfg(test)]
mod tests;
