//! The store's part in saying no: rates, caps and switches that every process
//! of the service sees alike.

use async_trait::async_trait;

/// Limits over all processes. Every verb may be repeated after
/// [`StoreError::Unavailable`](super::StoreError::Unavailable).
#[async_trait]
pub trait Limits: Send + Sync + 'static {}
