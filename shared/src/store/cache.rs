//! The store's part in not doing the same work twice: answers kept for
//! pictures that come again.
//!
//! An entry is a help and never a promise. It may be missing at any time,
//! because its time is over, because newer ones took its place, or because the
//! store had no room; what it holds is the caller's to check.

use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use super::StoreError;
use crate::domain::TenantId;

/// Bytes that one entry may have.
pub const MAX_CACHED_BYTES: usize = 16 * 1024;

/// Entries that one call looks up or keeps.
pub const MAX_CACHED_PER_CALL: usize = 256;

/// What an answer is found under: SHA-256 over whose picture it is, its bytes
/// and what answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CacheKey([u8; 32]);

impl CacheKey {
    /// The key of a tenant's picture, by the SHA-256 of its bytes, before what
    /// answers, by a digest of all that its answers depend on. The tenant is a
    /// part of it: how soon an answer comes must not tell one that another has
    /// sent the same picture.
    #[must_use]
    pub fn new(tenant: &TenantId, picture: &[u8; 32], answers: &[u8; 32]) -> Self {
        let mut hasher = Sha256::new();
        // What comes last is the only part whose length varies.
        hasher.update(picture);
        hasher.update(answers);
        hasher.update(tenant.as_str());
        Self(hasher.finalize().into())
    }

    /// Its bytes, evenly spread over all values.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// How much is kept, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimits {
    /// How long an entry can be found.
    pub ttl: Duration,
    /// Entries at most; the oldest go first. A store with more comes down to
    /// it step by step, as new ones are kept.
    pub entries: u64,
}

/// Answers kept. Every verb may be repeated after
/// [`StoreError::Unavailable`].
#[async_trait]
pub trait Cache: Send + Sync + 'static {
    /// What is kept under each key, in their order; at most
    /// [`MAX_CACHED_PER_CALL`]. Costs one round trip and writes nothing.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when there are too many.
    async fn recall(&self, keys: &[CacheKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError>;

    /// Keeps entries, at most [`MAX_CACHED_PER_CALL`], over what was kept
    /// under their keys. Returns when they can be found, or when there was no
    /// room for them, but may lose them with the power: nothing waits for a
    /// disk on their account alone.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when there are too many or one exceeds
    /// [`MAX_CACHED_BYTES`]; nothing is kept then.
    async fn remember(
        &self,
        entries: &[(CacheKey, Vec<u8>)],
        limits: CacheLimits,
    ) -> Result<(), StoreError>;
}

/// Refuses a look-up that is too large.
pub(super) fn check_keys(keys: &[CacheKey]) -> Result<(), StoreError> {
    if keys.len() > MAX_CACHED_PER_CALL {
        return Err(StoreError::Invalid("a look-up has at most 256 keys"));
    }
    Ok(())
}

/// Refuses entries that are too many or too large.
pub(super) fn check_entries(entries: &[(CacheKey, Vec<u8>)]) -> Result<(), StoreError> {
    if entries.len() > MAX_CACHED_PER_CALL {
        return Err(StoreError::Invalid("at most 256 entries are kept at once"));
    }
    if entries.iter().any(|(_, entry)| entry.len() > MAX_CACHED_BYTES) {
        return Err(StoreError::Invalid("an entry has at most 16 KiB"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_differs_by_tenant_picture_and_what_answers() {
        let tenant = |name: &str| name.parse::<TenantId>().unwrap();
        let key = CacheKey::new(&tenant("a"), &[1; 32], &[2; 32]);
        assert_eq!(key, CacheKey::new(&tenant("a"), &[1; 32], &[2; 32]));
        assert_ne!(key, CacheKey::new(&tenant("b"), &[1; 32], &[2; 32]));
        assert_ne!(key, CacheKey::new(&tenant("a"), &[3; 32], &[2; 32]));
        assert_ne!(key, CacheKey::new(&tenant("a"), &[1; 32], &[3; 32]));
    }
}
