//! Who may do what. What an operation needs stands in the document beside it
//! (`security`), and the guard reads it from there: what is documented is what
//! is asked for.
//!
//! What must never happen: an operation that asks for nothing because nobody
//! said what it needs, a body read for a caller who may not send it, a secret
//! in an answer or in the log.

mod failures;
mod guard;
mod keyring;
mod needs;
mod presented;
mod site;

pub(crate) use guard::{guard, let_in};
pub(crate) use keyring::Keyring;
pub(crate) use needs::{Needs, SCHEME};
pub use site::AllowedHosts;

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Those with a key, each for its tenant and its scopes.
    #[default]
    Keys,
    /// Anyone but the pages of other sites, as the default tenant. Keys are not
    /// looked at.
    Open,
}
