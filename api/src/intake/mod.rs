//! From a request's body to a job in the store. Three kinds of body fill one
//! [`Draft`]; the bytes of each image are stored as they arrive, and the job
//! follows once it is whole.
//!
//! What must never happen: more of a multipart upload in memory than a
//! mebibyte or one image, an accepted job without its bytes, or bytes left
//! behind by a request that was refused.

mod body;
mod catalog;
mod choice;
mod document;
mod draft;
mod fingerprint;
mod form;
mod json;
mod kind;
mod multipart;
mod options;
mod receive;
mod uploads;

pub(crate) use catalog::Catalog;
pub(crate) use choice::default_model;
pub(crate) use document::Document;
pub(crate) use draft::Submitted;
pub(crate) use fingerprint::Fingerprint;
pub(crate) use form::{MultipartJob, RawImage};
pub(crate) use json::{JsonJob, wrong};
pub(crate) use kind::BodyKind;
pub(crate) use options::SubmitQuery;
pub(crate) use receive::receive;
