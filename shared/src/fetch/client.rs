//! Fetching a body under the policy.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Client, Response, StatusCode};
use rustls::RootCertStore;
use tokio::time::timeout;

use super::resolver::GuardedResolver;
use super::{FetchPolicy, Lookup, SystemLookup, Target, body, failure, tls};
use crate::domain::{ErrorCode, ItemError};

const USER_AGENT: &str = concat!("aisle/", env!("CARGO_PKG_VERSION"));

/// A body with what the host said of it.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The whole body.
    pub body: Bytes,
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

/// A client that keeps to a policy. It follows redirects by hand, because
/// each hop has to pass what the first had to; it keeps no connection, because
/// an address that was allowed for one name says nothing about another.
pub struct Fetcher {
    pub(super) client: Client,
    policy: Arc<FetchPolicy>,
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").field("policy", &self.policy).finish_non_exhaustive()
    }
}

enum Answer {
    Image(Response),
    Redirect(String),
}

impl Fetcher {
    /// A client that keeps to `policy` and asks the system's resolver.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(policy: FetchPolicy) -> Result<Self, ItemError> {
        Self::with_lookup(policy, Arc::new(SystemLookup::default()))
    }

    /// A client that keeps to `policy` and asks `lookup` for addresses.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn with_lookup(policy: FetchPolicy, lookup: Arc<dyn Lookup>) -> Result<Self, ItemError> {
        Self::build(policy, lookup, tls::public_roots())
    }

    pub(super) fn build(
        policy: FetchPolicy,
        lookup: Arc<dyn Lookup>,
        roots: RootCertStore,
    ) -> Result<Self, ItemError> {
        let policy = Arc::new(policy);
        let tls = tls::client_config(roots).map_err(|error| set_up(&error))?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .user_agent(USER_AGENT)
            .default_headers(HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("image/*"))]))
            .dns_resolver(GuardedResolver { lookup, policy: Arc::clone(&policy) })
            .connect_timeout(policy.connect_timeout)
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| set_up(&error))?;
        Ok(Self { client, policy })
    }

    /// The policy it keeps to.
    #[must_use]
    pub fn policy(&self) -> &FetchPolicy {
        &self.policy
    }

    /// Fetches a target.
    ///
    /// # Errors
    /// An item error of code `url_not_allowed`, `url_unreachable`,
    /// `url_refused` or `too_large`, and whether trying again later may help.
    pub async fn fetch(&self, target: &Target) -> Result<Fetched, FetchError> {
        let start = Instant::now();
        let fetched = timeout(self.policy.total_timeout, self.follow(target))
            .await
            .unwrap_or_else(|_| Err(failure::unreachable("the URL took too long to fetch")));
        let elapsed_ms = start.elapsed().as_millis();
        match &fetched {
            Ok(Fetched { body }) => {
                tracing::debug!(url = %target, bytes = body.len(), elapsed_ms, "fetched");
            }
            Err(FetchError { error, transient }) => {
                tracing::debug!(url = %target, %error, transient, elapsed_ms, "not fetched");
            }
        }
        fetched
    }

    async fn follow(&self, target: &Target) -> Result<Fetched, FetchError> {
        let mut hop = target.under(&self.policy).map_err(|error| failure::not_allowed(error.0))?;
        for _ in 0..=self.policy.max_redirects {
            match self.request(&hop).await? {
                Answer::Image(response) => {
                    let body = body::read(response, &self.policy).await?;
                    return Ok(Fetched { body });
                }
                Answer::Redirect(location) => {
                    hop = hop.redirected(&location, &self.policy).map_err(|error| {
                        failure::not_allowed(format!("a redirect is not allowed: {error}"))
                    })?;
                }
            }
        }
        Err(failure::refused(format!(
            "the URL redirects more than {} times",
            self.policy.max_redirects
        )))
    }

    async fn request(&self, hop: &Target) -> Result<Answer, FetchError> {
        let request = self.client.get(hop.url().clone()).send();
        let response = timeout(self.policy.first_byte_timeout, request)
            .await
            .map_err(|_| failure::unreachable("the URL's host did not answer in time"))?
            .map_err(|error| failure::of_request(&error))?;
        check_peer(response.remote_addr(), &self.policy)?;
        sort(response)
    }
}

/// Decides what an answer's head means.
fn sort(response: Response) -> Result<Answer, FetchError> {
    match response.status() {
        StatusCode::OK => Ok(Answer::Image(response)),
        StatusCode::MOVED_PERMANENTLY
        | StatusCode::FOUND
        | StatusCode::SEE_OTHER
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT => {
            let location = response.headers().get(LOCATION).map(HeaderValue::as_bytes);
            match location.map(str::from_utf8) {
                Some(Ok(location)) => Ok(Answer::Redirect(location.to_owned())),
                Some(Err(_)) | None => {
                    Err(failure::refused("the URL's host redirects without a usable location"))
                }
            }
        }
        status => Err(failure::of_status(status)),
    }
}

/// A tripwire: whatever let a connection through, its answer is not used
/// unless the address at its other end is allowed.
pub(super) fn check_peer(peer: Option<SocketAddr>, policy: &FetchPolicy) -> Result<(), FetchError> {
    match peer {
        Some(peer) if policy.allows_address(peer.ip()) => Ok(()),
        Some(_) | None => {
            tracing::error!("a connection to an address that is not allowed was made");
            Err(failure::not_allowed("the URL's host has no public address"))
        }
    }
}

fn set_up(error: &dyn std::error::Error) -> ItemError {
    ItemError::new(ErrorCode::Internal, format!("the HTTP client could not be set up: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_from_an_address_that_is_not_allowed_is_not_used() {
        let policy = FetchPolicy::default();
        let peer = |text: &str| Some(text.parse().unwrap());
        assert!(check_peer(peer("8.8.8.8:80"), &policy).is_ok());
        assert!(check_peer(peer("10.0.0.1:80"), &policy).is_err());
        assert!(check_peer(None, &policy).is_err());
    }
}
