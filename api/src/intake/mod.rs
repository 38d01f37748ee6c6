//! From a request's body to a job in the store. Three kinds of body fill one
//! [`Draft`]. The images of a small job are stored in the step that writes the
//! job; those of a larger one as they arrive, and the job follows.
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
