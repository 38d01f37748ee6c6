//! What can go wrong between a caller and the store.

use std::time::Duration;

use super::{Cap, Resource};

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
    /// As much waits as the store may hold. Nothing was written.
    #[error("the queue is full ({cap:?}): {live} wait, {limit} are allowed")]
    Full {
        /// What is full.
        cap: Cap,
        /// Items, or bytes of uploads, that wait.
        live: u64,
        /// The limit set.
        limit: u64,
        /// When there should be room, by how fast items end now.
        retry_after: Duration,
    },
    /// An operator has closed the intake. Nothing was written.
    #[error("the intake is closed")]
    Closed,
    /// The server or the host has too little left to take more in. Nothing
    /// was written; what is there goes on.
    #[error("too little is left of {resource:?}: {detail}")]
    Exhausted {
        /// What there is too little of.
        resource: Resource,
        /// For the log.
        detail: String,
        /// When to ask again.
        retry_after: Duration,
    },
    /// The caller's key stands for another request. Nothing was written.
    #[error("the key was used for another request")]
    KeyReused,
    /// The caller's key stands for a job that is still being written.
    /// Nothing was written.
    #[error("the key's job is still being written")]
    KeyInProgress,
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
