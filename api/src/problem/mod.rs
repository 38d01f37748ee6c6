//! Everything that goes wrong, as RFC 9457 problem documents: one table of
//! codes, one type that carries a code to the edge, one place that renders it.
//!
//! What must never happen: an answer past 399 that is not a problem document,
//! or one that shows a caller what only the log may know.

mod body;
mod code;
mod convert;
mod document;
mod error;

pub(crate) use body::{FieldError, ProblemBody, Scope};
pub(crate) use code::Code;
pub(crate) use document::{described, problems};
pub(crate) use error::Problem;
