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

pub(crate) use body::{FieldError, ProblemBody};
pub(crate) use code::Code;
pub(crate) use document::described;
pub(crate) use error::Problem;

/// Declares a type that describes an operation's problems in the document.
macro_rules! problems {
    ($name:ident: $($code:ident),+ $(,)?) => {
        struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses() -> std::collections::BTreeMap<
                String,
                utoipa::openapi::RefOr<utoipa::openapi::response::Response>,
            > {
                $crate::problem::described(&[$($crate::problem::Code::$code),+])
            }
        }
    };
}
pub(crate) use problems;
