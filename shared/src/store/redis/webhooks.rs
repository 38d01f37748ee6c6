//! Endpoints and deliveries: the verbs of [`Webhooks`] over Redis.

mod endpoints;
mod log;
mod sending;

use std::time::Duration;

use async_trait::async_trait;

pub(super) use log::forget;

use super::keys::Topic;
use super::relay;
use super::store::RedisStore;
use crate::domain::{
    ClaimedDelivery, Delivery, DeliveryAttempt, DeliveryId, DeliveryLease, Endpoint, EndpointId,
    TenantId,
};
use crate::store::{
    DeliveryClaim, DeliveryFilter, DeliveryPage, DeliveryPosition, Settled, StoreError, Verdict,
    Webhooks,
};

#[async_trait]
impl Webhooks for RedisStore {
    async fn put_endpoint(&self, endpoint: &Endpoint) -> Result<(), StoreError> {
        // Jobs that have ended are told to those who wanted it then.
        relay::run(&self.server).await?;
        endpoints::put(&self.server, endpoint).await
    }

    async fn endpoint(&self, tenant: &TenantId, id: &EndpointId) -> Result<Endpoint, StoreError> {
        endpoints::find(&self.server, tenant, id).await
    }

    async fn endpoints(&self, tenant: &TenantId) -> Result<Vec<Endpoint>, StoreError> {
        endpoints::list(&self.server, tenant).await
    }

    async fn remove_endpoint(&self, tenant: &TenantId, id: &EndpointId) -> Result<(), StoreError> {
        relay::run(&self.server).await?;
        endpoints::remove(&self.server, tenant, id).await
    }

    async fn claim_deliveries(
        &self,
        wish: &DeliveryClaim,
    ) -> Result<Vec<ClaimedDelivery>, StoreError> {
        relay::run(&self.server).await?;
        sending::claim(&self.server, wish).await
    }

    async fn settle_delivery(
        &self,
        lease: &DeliveryLease,
        attempt: &DeliveryAttempt,
        verdict: Verdict,
    ) -> Result<Settled, StoreError> {
        sending::settle(&self.server, lease, attempt, verdict).await
    }

    async fn release_deliveries(&self, held: &[DeliveryLease]) -> Result<(), StoreError> {
        sending::release(&self.server, held).await
    }

    async fn wait_for_deliveries(&self, timeout: Duration) {
        self.subscription.want(Topic::Deliveries);
        self.wakers.wait_for_deliveries(timeout).await;
    }

    async fn delivery(&self, tenant: &TenantId, id: &DeliveryId) -> Result<Delivery, StoreError> {
        relay::run(&self.server).await?;
        log::find(&self.server, tenant, id).await
    }

    async fn deliveries(
        &self,
        tenant: &TenantId,
        filter: &DeliveryFilter,
        after: Option<DeliveryPosition>,
        limit: usize,
    ) -> Result<DeliveryPage, StoreError> {
        relay::run(&self.server).await?;
        log::list(&self.server, tenant, filter, after.as_ref(), limit).await
    }

    async fn replay_delivery(&self, tenant: &TenantId, id: &DeliveryId) -> Result<(), StoreError> {
        relay::run(&self.server).await?;
        sending::replay(&self.server, tenant, id).await
    }
}
