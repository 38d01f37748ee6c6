//! What every answer has in common: a request id, safe headers, problems for
//! all that fails, one line in the log, one observation in the metrics, one span.

mod addresses;
mod headers;
mod request;
pub(crate) mod trace;
mod unread;
mod wrap;

pub(crate) use addresses::{Addresses, nowhere};
pub(crate) use wrap::envelope;
