//! A page of jobs as callers read it.

use serde::Serialize;
use utoipa::ToSchema;

use super::Job;

/// A page of jobs, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobList {
    /// The jobs. Results stand only with jobs of at most 20 images.
    pub(crate) data: Vec<Job>,
    /// The `cursor` of the next page; null at the end. A page may be short,
    /// even empty, and still have a next one.
    #[schema(required)]
    pub(crate) next_cursor: Option<String>,
}
