//! Who calls. Every handler that touches jobs takes a [`Caller`]; without one
//! there is no tenant to ask the store for.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use aisle_shared::domain::{ApiKey, KeyId, TenantId};

use crate::problem::Problem;

/// A caller's authority: the tenant whose jobs it may see and change. Made by
/// the guard (`access/guard.rs`), after the key was found to work and to have
/// the scope of the operation.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) tenant: TenantId,
    /// The key that it has shown; none where none is asked for.
    pub(crate) key: Option<Arc<ApiKey>>,
}

impl Caller {
    /// Anyone, where no key is asked for.
    pub(crate) fn anyone() -> Self {
        Self { tenant: TenantId::default_tenant(), key: None }
    }

    /// The holder of a key.
    pub(crate) fn with_key(key: Arc<ApiKey>) -> Self {
        Self { tenant: key.tenant.clone(), key: Some(key) }
    }

    /// The id of the key that it has shown.
    pub(crate) fn key_id(&self) -> Option<KeyId> {
        self.key.as_ref().map(|key| key.id.clone())
    }

    /// The bucket that its submissions are taken from, and how many a minute
    /// there may be: what its key says, else what is usual.
    pub(crate) fn quota(&self, usual: u32) -> (&str, u32) {
        match &self.key {
            Some(key) => (key.id.as_str(), key.rate_per_minute.unwrap_or(usual)),
            None => (self.tenant.as_str(), usual),
        }
    }

    /// The tenant's share of the workers beside other tenants.
    pub(crate) fn weight(&self) -> u32 {
        self.key.as_ref().map_or(1, |key| key.weight)
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    /// Refuses where the guard has let a request through without looking:
    /// then the handler and the document disagree about who may call.
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(request.extensions().get().cloned().ok_or_else(Problem::unauthenticated))
    }
}
