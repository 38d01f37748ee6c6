//! Fetching a body under the policy.

use bytes::Bytes;

use super::{FetchPolicy, Target};
use crate::domain::ItemError;

/// A body with what the host said of it.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The whole body.
    pub body: Bytes,
}

/// Why a fetch brought nothing.
#[derive(Debug)]
pub struct Fetcher {
    policy: FetchPolicy,
}

impl Fetcher {
    /// A client that keeps to `policy`.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(policy: FetchPolicy) -> Result<Self, ItemError> {
        Ok(Self { policy })
    }

    /// The policy it keeps to.
    #[must_use]
    pub const fn policy(&self) -> &FetchPolicy {
        &self.policy
    }

    /// Fetches a target.
    ///
    /// # Errors
    /// An item error, and whether trying again later may help.
    pub async fn fetch(&self, target: &Target) -> Result<Fetched, FetchError> {
        let _ = target;
        Err(FetchError {
            error: ItemError::new(crate::domain::ErrorCode::UrlUnreachable, "stub"),
            transient: true,
        })
    }
}

/// Why a fetch brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct FetchError {
    /// What to tell the caller.
    pub error: ItemError,
    /// Whether trying again later may help.
    pub transient: bool,
}
