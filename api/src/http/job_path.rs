//! The job that a path names.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use aisle_shared::domain::JobId;

use crate::problem::{Code, Problem};

/// The id in the path. A text that is no job id names no job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JobPath(pub(crate) JobId);

impl FromRequest for JobPath {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.match_info().query("id").parse();
        ready(id.map(Self).map_err(|error| Problem::new(Code::JobNotFound, format!("{error}."))))
    }
}
