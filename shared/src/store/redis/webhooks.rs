//! Endpoints and deliveries.

use std::time::Duration;

use async_trait::async_trait;

use super::store::RedisStore;
use crate::domain::{
    ClaimedDelivery, Delivery, DeliveryAttempt, DeliveryId, DeliveryLease, Endpoint, EndpointId,
    TenantId,
};
use crate::store::{
    DeliveryClaim, DeliveryFilter, DeliveryPage, DeliveryPosition, Settled, StoreError, Verdict,
    Webhooks,
};

const LATER: StoreError = StoreError::Invalid("webhooks are not built yet");

#[async_trait]
impl Webhooks for RedisStore {
    async fn put_endpoint(&self, _: &Endpoint) -> Result<(), StoreError> {
        Err(LATER)
    }

    async fn endpoint(&self, _: &TenantId, _: &EndpointId) -> Result<Endpoint, StoreError> {
        Err(LATER)
    }

    async fn endpoints(&self, _: &TenantId) -> Result<Vec<Endpoint>, StoreError> {
        Err(LATER)
    }

    async fn remove_endpoint(&self, _: &TenantId, _: &EndpointId) -> Result<(), StoreError> {
        Err(LATER)
    }

    async fn claim_deliveries(
        &self,
        _: &DeliveryClaim,
    ) -> Result<Vec<ClaimedDelivery>, StoreError> {
        Err(LATER)
    }

    async fn settle_delivery(
        &self,
        _: &DeliveryLease,
        _: &DeliveryAttempt,
        _: Verdict,
    ) -> Result<Settled, StoreError> {
        Err(LATER)
    }

    async fn release_deliveries(&self, _: &[DeliveryLease]) -> Result<(), StoreError> {
        Err(LATER)
    }

    async fn wait_for_deliveries(&self, _: Duration) {}

    async fn delivery(&self, _: &TenantId, _: &DeliveryId) -> Result<Delivery, StoreError> {
        Err(LATER)
    }

    async fn deliveries(
        &self,
        _: &TenantId,
        _: &DeliveryFilter,
        _: Option<DeliveryPosition>,
        _: usize,
    ) -> Result<DeliveryPage, StoreError> {
        Err(LATER)
    }

    async fn replay_delivery(&self, _: &TenantId, _: &DeliveryId) -> Result<(), StoreError> {
        Err(LATER)
    }
}
