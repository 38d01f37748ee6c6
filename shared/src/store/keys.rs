//! The store's part in API keys: who may call, kept as hashes.

use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::{ApiKey, KeyId, NewApiKey};

/// Keys that a store has at most, revoked and expired ones included until they
/// are purged.
pub const MAX_KEYS: usize = 10_000;

/// API keys. Every verb may be repeated after
/// [`StoreError::Unavailable`].
#[async_trait]
pub trait Keys: Send + Sync + 'static {
    /// Keeps a new key and answers it as it is kept. Repeating it with the
    /// same id and hash changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when another key has its id, or there are
    /// [`MAX_KEYS`] already.
    async fn put_key(&self, key: &NewApiKey) -> Result<ApiKey, StoreError>;

    /// The key of that id, whether it works or not.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn key(&self, id: &KeyId) -> Result<Option<ApiKey>, StoreError>;

    /// Every key, the oldest first.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn keys(&self) -> Result<Vec<ApiKey>, StoreError>;

    /// Ends a key for good. Repeating it keeps the first time.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such key.
    async fn revoke_key(&self, id: &KeyId) -> Result<(), StoreError>;

    /// Forgets the keys that have not worked for that long, because they were
    /// revoked or had expired; how many there were.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn purge_keys(&self, ended_for: Duration) -> Result<u64, StoreError>;

    /// Notes that a key was used today. A key that is not there is left
    /// alone.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn touch_key(&self, id: &KeyId) -> Result<(), StoreError>;
}
