//! Name resolution that drops addresses which the policy does not allow. The
//! rule stands here, between the answer and the connection, because a name
//! that was checked earlier may resolve to something else now.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use super::FetchPolicy;

/// Lookups that may be under way at once. The system's resolver blocks a
/// thread for longer than a caller waits, so their number has to be bounded.
const MAX_LOOKUPS: usize = 128;

/// Finds the addresses of a name.
#[async_trait]
pub trait Lookup: Send + Sync + 'static {
    /// The addresses of a name, whatever they are.
    ///
    /// # Errors
    /// When the name does not exist or no answer came.
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The operating system's resolver.
#[derive(Debug)]
pub struct SystemLookup {
    permits: Arc<Semaphore>,
}

impl Default for SystemLookup {
    fn default() -> Self {
        Self { permits: Arc::new(Semaphore::new(MAX_LOOKUPS)) }
    }
}

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(io::Error::other)?;
        let name = name.to_owned();
        tokio::task::spawn_blocking(move || {
            // The permit goes back when the thread is free, not when the caller gives up.
            let _permit = permit;
            let answers = (name.as_str(), 0).to_socket_addrs()?;
            Ok(answers.map(|answer| answer.ip()).collect())
        })
        .await?
    }
}

/// Why a name brought no address to connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ResolveError {
    /// The name does not exist, or no answer came.
    #[error("the name could not be resolved")]
    NoAnswer,
    /// It exists, but all its addresses are forbidden.
    #[error("the name has no address that is allowed")]
    NotAllowed,
}

/// A lookup with the policy's rule applied to every answer.
pub(super) struct GuardedResolver {
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) policy: Arc<FetchPolicy>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, policy) = (Arc::clone(&self.lookup), Arc::clone(&self.policy));
        Box::pin(async move {
            let answers = lookup.lookup(name.as_str()).await.map_err(|error| {
                tracing::debug!(name = name.as_str(), %error, "name not resolved");
                ResolveError::NoAnswer
            })?;
            let allowed = keep_allowed(&answers, &policy)?;
            let addresses = allowed.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

fn keep_allowed(answers: &[IpAddr], policy: &FetchPolicy) -> Result<Vec<IpAddr>, ResolveError> {
    if answers.is_empty() {
        return Err(ResolveError::NoAnswer);
    }
    let allowed: Vec<_> =
        answers.iter().copied().filter(|address| policy.allows_address(*address)).collect();
    if allowed.is_empty() { Err(ResolveError::NotAllowed) } else { Ok(allowed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_answers_are_kept() {
        let [private, public]: [IpAddr; 2] =
            ["10.0.0.1".parse().unwrap(), "8.8.8.8".parse().unwrap()];
        let policy = FetchPolicy::default();
        assert_eq!(keep_allowed(&[private, public], &policy), Ok(vec![public]));
        assert_eq!(keep_allowed(&[private], &policy), Err(ResolveError::NotAllowed));
        assert_eq!(keep_allowed(&[], &policy), Err(ResolveError::NoAnswer));
    }

    #[tokio::test]
    async fn the_system_resolves_localhost() {
        let addresses = SystemLookup::default().lookup("localhost").await.unwrap();
        assert!(!addresses.is_empty() && addresses.iter().all(IpAddr::is_loopback));
    }
}
