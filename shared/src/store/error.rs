//! What can go wrong between a caller and the store.

use std::time::Duration;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store did not answer. The step may or may not have been taken;
    /// every verb may be repeated.
    #[error("the store is unavailable: {detail}")]
    Unavailable {
        /// For the log.
        detail: String,
        /// When to ask again.
        retry_after: Duration,
    },
    /// As many items wait as the store may hold. Nothing was written.
    #[error("the queue is full: {live} items wait, {limit} are allowed")]
    Full {
        /// Items that have not ended.
        live: u64,
        /// The limit set.
        limit: u64,
    },
    /// Nothing of that id, or another tenant's.
    #[error("no such thing")]
    NotFound,
    /// It was changed by another since it was read.
    #[error("it was changed by another")]
    Stale,
    /// The argument breaks the verb's contract.
    #[error("{0}")]
    Invalid(&'static str),
    /// What is stored cannot be read back.
    #[error("the store holds something unreadable: {0}")]
    Corrupt(String),
    /// The store is not set up as the service needs it.
    #[error("{0}")]
    Config(String),
}

impl StoreError {
    /// An unavailable store that is worth asking again in a second.
    #[must_use]
    pub fn unavailable(error: impl std::fmt::Display) -> Self {
        Self::Unavailable { detail: error.to_string(), retry_after: Duration::from_secs(1) }
    }
}
