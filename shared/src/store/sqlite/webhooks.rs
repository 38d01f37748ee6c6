//! Endpoints and deliveries: the verbs of [`Webhooks`] over SQLite.

pub(super) mod claim;
mod endpoints;
mod giving_up;
pub(super) mod lane;
mod log;
mod outbox;
mod retention;
mod settle;
pub(super) mod turn;

use std::time::Duration;

use async_trait::async_trait;

pub(super) use outbox::{Ended, write as write_deliveries};
pub(super) use retention::{FORGOTTEN_PER_STEP, forget};

use super::store::SqliteStore;
use crate::domain::{
    ClaimedDelivery, Delivery, DeliveryAttempt, DeliveryId, DeliveryLease, Endpoint, EndpointId,
    TenantId,
};
use crate::store::{
    DeliveryClaim, DeliveryFilter, DeliveryPage, DeliveryPosition, Settled, StoreError, Verdict,
    Webhooks,
};

#[async_trait]
impl Webhooks for SqliteStore {
    async fn put_endpoint(&self, endpoint: &Endpoint) -> Result<(), StoreError> {
        let row = endpoints::EndpointRow::new(endpoint)?;
        self.writer.write(move |step| endpoints::put(step, &row)).await
    }

    async fn endpoint(&self, tenant: &TenantId, id: &EndpointId) -> Result<Endpoint, StoreError> {
        let (tenant, id) = (tenant.clone(), id.clone());
        self.readers.read(move |db| endpoints::find(db, &tenant, &id)).await
    }

    async fn endpoints(&self, tenant: &TenantId) -> Result<Vec<Endpoint>, StoreError> {
        let tenant = tenant.clone();
        self.readers.read(move |db| endpoints::list(db, &tenant)).await
    }

    async fn remove_endpoint(&self, tenant: &TenantId, id: &EndpointId) -> Result<(), StoreError> {
        let (tenant, id) = (tenant.clone(), id.clone());
        self.writer.write(move |step| endpoints::remove(step, &tenant, &id)).await
    }

    async fn claim_deliveries(
        &self,
        wish: &DeliveryClaim,
    ) -> Result<Vec<ClaimedDelivery>, StoreError> {
        let wish = *wish;
        self.writer.write(move |step| claim::claim(step, &wish)).await
    }

    async fn settle_delivery(
        &self,
        lease: &DeliveryLease,
        attempt: &DeliveryAttempt,
        verdict: Verdict,
    ) -> Result<Settled, StoreError> {
        let (lease, attempt) = (lease.clone(), attempt.clone());
        self.writer.write(move |step| settle::settle(step, &lease, attempt, verdict)).await
    }

    async fn release_deliveries(&self, held: &[DeliveryLease]) -> Result<(), StoreError> {
        let held = held.to_vec();
        self.writer.write(move |step| settle::release(step, &held)).await
    }

    async fn wait_for_deliveries(&self, timeout: Duration) {
        self.wakers.wait_for_deliveries(timeout).await;
    }

    async fn delivery(&self, tenant: &TenantId, id: &DeliveryId) -> Result<Delivery, StoreError> {
        let (tenant, id) = (tenant.clone(), id.clone());
        self.readers.read(move |db| log::find(db, &tenant, &id)).await
    }

    async fn deliveries(
        &self,
        tenant: &TenantId,
        filter: &DeliveryFilter,
        after: Option<DeliveryPosition>,
        limit: usize,
    ) -> Result<DeliveryPage, StoreError> {
        let (tenant, filter) = (tenant.clone(), filter.clone());
        let page = move |db: &_| log::list(db, &tenant, &filter, after.as_ref(), limit);
        self.readers.read(page).await
    }

    async fn replay_delivery(&self, tenant: &TenantId, id: &DeliveryId) -> Result<(), StoreError> {
        let (tenant, id) = (tenant.clone(), id.clone());
        self.writer.write(move |step| settle::replay(step, &tenant, &id)).await
    }
}

#[cfg(test)]
mod tests;
