//! The store's part in API keys: who may call, kept as hashes.

use async_trait::async_trait;

/// API keys. Every verb may be repeated after
/// [`StoreError::Unavailable`](super::StoreError::Unavailable).
#[async_trait]
pub trait Keys: Send + Sync + 'static {}
