//! Telling receivers of a job's end as Standard Webhooks 1.0.0 say: what is
//! sent, how it is signed, when it is tried again, and the sender that does it.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
//!
//! What must never happen: a secret in a log or unsealed in a store, a message
//! sent unsigned, one receiver that waits for another, a redirect followed.

mod attempt;
mod payload;
mod receiver;
mod schedule;
mod secret;
mod sender;
mod signature;
mod vault;

pub use payload::{MAX_PAYLOAD_BYTES, RESULTS_AT_MOST, payload};
pub use receiver::{callback, receiver};
#[doc(hidden)]
pub use schedule::retry_after;
pub use schedule::{LONGEST_RETRY_AFTER, SCHEDULE};
pub use secret::{Secret, SecretError};
pub use sender::Sender;
pub use signature::{SignatureError, Signed, TOLERANCE, sign, verify};
pub use vault::{MasterKey, MasterKeyError, Vault, VaultError};
