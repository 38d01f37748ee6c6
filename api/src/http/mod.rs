//! The small grammars of HTTP that handlers speak: preferences, entity tags,
//! cursors, query parameters.

mod cursor;
mod delivery_cursor;
mod idempotency_key;
mod job_path;
mod params;
mod prefer;
mod webhook_path;

pub(crate) use cursor::Cursor;
pub(crate) use idempotency_key::{IDEMPOTENCY_REPLAYED, IdempotencyKey};

pub(crate) use delivery_cursor::DeliveryCursor;
pub(crate) use job_path::JobPath;
pub(crate) use params::Params;
pub(crate) use prefer::{PREFERENCE_APPLIED, Prefer};
pub(crate) use webhook_path::{DeliveryPath, EndpointPath};
