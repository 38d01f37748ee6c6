//! Who calls. Every handler that touches jobs takes a [`Caller`]; without one
//! there is no tenant to ask the store for.

use std::convert::Infallible;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use aisle_shared::domain::TenantId;

/// A caller's authority: the tenant whose jobs it may see and change.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) tenant: TenantId,
}

impl FromRequest for Caller {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self { tenant: TenantId::default_tenant() }))
    }
}
