//! The webhook endpoint or delivery that a path names.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use aisle_shared::domain::{DeliveryId, EndpointId};

use crate::problem::{Code, Problem};

/// The endpoint's id in the path. A text that is none names no endpoint.
#[derive(Debug, Clone)]
pub(crate) struct EndpointPath(pub(crate) EndpointId);

impl FromRequest for EndpointPath {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.match_info().query("id").parse();
        let none = |error| Problem::new(Code::EndpointNotFound, format!("{error}."));
        ready(id.map(Self).map_err(none))
    }
}

/// The delivery's id in the path. A text that is none names no delivery.
#[derive(Debug, Clone)]
pub(crate) struct DeliveryPath(pub(crate) DeliveryId);

impl FromRequest for DeliveryPath {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.match_info().query("id").parse();
        let none = |error| Problem::new(Code::DeliveryNotFound, format!("{error}."));
        ready(id.map(Self).map_err(none))
    }
}
