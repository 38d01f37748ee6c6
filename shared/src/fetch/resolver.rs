//! Name resolution that drops addresses which the policy does not allow. The
//! rule stands here, between the answer and the connection, because a name
//! that was checked earlier may resolve to something else now.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::FetchPolicy;

/// Lookups that may be under way at once. The system's resolver blocks a
/// thread for longer than a caller waits, so their number has to be bounded.
const MAX_LOOKUPS: usize = 128;

/// Of these, those of names in one domain. Whoever has a domain has as many
/// names as they like, and their name server may never answer.
const MAX_LOOKUPS_OF_A_DOMAIN: usize = 16;

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
#[derive(Debug, Default)]
pub struct SystemLookup {
    places: Places,
}

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let place = self.places.take(name).await.map_err(io::Error::other)?;
        let name = name.to_owned();
        tokio::task::spawn_blocking(move || {
            // The place goes back when the thread is free, not when the caller gives up.
            let _place = place;
            let answers = (name.as_str(), 0).to_socket_addrs()?;
            Ok(answers.map(|answer| answer.ip()).collect())
        })
        .await?
    }
}

/// Places for lookups, in all and for each domain.
#[derive(Debug)]
struct Places {
    all: Arc<Semaphore>,
    domains: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// One lookup's place.
#[derive(Debug)]
struct Place {
    _domain: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Default for Places {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(MAX_LOOKUPS)), domains: Mutex::default() }
    }
}

impl Places {
    /// Waits for the domain's turn, then for one of all.
    async fn take(&self, name: &str) -> Result<Place, tokio::sync::AcquireError> {
        let domain = self.domain(name).acquire_owned().await?;
        let all = Arc::clone(&self.all).acquire_owned().await?;
        Ok(Place { _domain: domain, _all: all })
    }

    fn domain(&self, name: &str) -> Arc<Semaphore> {
        let domain = domain_of(name);
        let mut domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = domains.get(&domain).and_then(Weak::upgrade) {
            return known;
        }
        domains.retain(|_, semaphore| semaphore.strong_count() > 0);
        let fresh = Arc::new(Semaphore::new(MAX_LOOKUPS_OF_A_DOMAIN));
        domains.insert(domain, Arc::downgrade(&fresh));
        fresh
    }
}

/// The last two labels of a name. Under a suffix like `co.uk` strangers share
/// one domain's places, which only a name server that hangs keeps for long.
fn domain_of(name: &str) -> String {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let start = name.rmatch_indices('.').nth(1).map_or(0, |(dot, _)| dot + 1);
    name.get(start..).unwrap_or_default().to_owned()
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
    use futures::FutureExt;

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

    #[test]
    fn a_domain_is_the_last_two_labels() {
        for (name, domain) in [
            ("a.b.example.com", "example.com"),
            ("A.Example.COM.", "example.com"),
            ("example.com", "example.com"),
            ("localhost", "localhost"),
            ("", ""),
        ] {
            assert_eq!(domain_of(name), domain, "{name}");
        }
    }

    #[tokio::test]
    async fn a_domain_whose_lookups_hang_leaves_room_for_others() {
        let places = Places::default();
        let names = (0..MAX_LOOKUPS_OF_A_DOMAIN).map(|host| format!("h{host}.slow.example"));
        let hanging: Vec<_> = names.map(|name| places.take(&name).now_or_never()).collect();
        assert!(hanging.iter().all(Option::is_some), "a place for each");
        assert!(places.take("one-more.slow.example").now_or_never().is_none());
        assert!(places.take("www.fast.example").now_or_never().is_some());
        drop(hanging);
        assert!(places.take("one-more.slow.example").now_or_never().is_some());
        assert!(places.domains.lock().unwrap().len() <= 2, "what is unused is forgotten");
    }

    #[tokio::test]
    async fn the_system_resolves_localhost() {
        let addresses = SystemLookup::default().lookup("localhost").await.unwrap();
        assert!(!addresses.is_empty() && addresses.iter().all(IpAddr::is_loopback));
    }
}
