//! The guarded HTTP client: the only way that bytes from foreign hosts get in,
//! and the only way that any go out to them.
//!
//! What must never happen: a connection to an address that the policy does
//! not allow, a body past its limit, a wait past the deadline, a proxy or a
//! content coding that the caller did not choose.

mod address;
mod body;
mod client;
mod failure;
mod policy;
mod post;
mod resolver;
mod target;
pub(crate) mod tls;

#[cfg(test)]
mod tests;

pub use address::is_public;
pub use client::{FetchError, Fetched, Fetcher};
pub use policy::FetchPolicy;
pub use post::{PostError, Posted};
pub use resolver::{Lookup, SystemLookup};
pub use target::{Target, TargetError};
