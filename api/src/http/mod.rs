//! The small grammars of HTTP that handlers speak: preferences, entity tags,
//! cursors, query parameters.

mod cursor;
mod idempotency_key;
mod job_path;
mod params;
mod prefer;

pub(crate) use cursor::Cursor;
pub(crate) use idempotency_key::{IDEMPOTENCY_REPLAYED, IdempotencyKey};
pub(crate) use job_path::JobPath;
pub(crate) use params::Params;
pub(crate) use prefer::{PREFERENCE_APPLIED, Prefer};
