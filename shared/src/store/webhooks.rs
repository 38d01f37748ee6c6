//! The store's part in webhooks: who wants to be told, and what is still to
//! be told. The step that ends a job also writes its deliveries, one to the
//! job's own callback and one to each of the tenant's enabled endpoints that
//! wants the event, so none is forgotten and none told twice as two messages.

use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::{
    ClaimedDelivery, Delivery, DeliveryAttempt, DeliveryId, DeliveryLease, DeliveryStatus,
    Endpoint, EndpointId, JobId, TenantId, Timestamp,
};

/// Endpoints that one tenant may have.
pub const MAX_ENDPOINTS: usize = 50;

/// Attempts that are kept with a delivery.
pub const ATTEMPTS_KEPT: usize = 20;

/// Failures in a row after which a lane rests: its breaker is open.
pub const BREAKER_AFTER: u32 = 5;

/// How long a lane rests first; twice as long after each further failure…
pub const BREAKER_FIRST: Duration = Duration::from_secs(5);

/// …up to this. One delivery then tries whether the receiver is back.
pub const BREAKER_LONGEST: Duration = Duration::from_secs(5 * 60);

/// How long a lane rests after so many failures in a row, if its breaker is
/// open.
pub(super) fn rest_after(failures: u32) -> Option<Duration> {
    let doublings = failures.checked_sub(BREAKER_AFTER)?;
    let rest = BREAKER_FIRST.saturating_mul(2_u32.saturating_pow(doublings));
    Some(rest.min(BREAKER_LONGEST))
}

/// An endpoint that nothing has reached for so long is disabled.
pub const DISABLED_AFTER: Duration = Duration::from_secs(5 * 24 * 60 * 60);

/// How long a delivery can be read after it was delivered or given up.
pub const DELIVERY_RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A sender's wish for deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryClaim {
    /// Deliveries at most.
    pub max: usize,
    /// Deliveries of one lane that all senders together may hold.
    pub per_lane: usize,
    /// Deliveries of one tenant that all senders together may hold.
    pub per_tenant: usize,
    /// How long they stay the sender's own. A sender that dies keeps them no
    /// longer, and another sends them with the same message id.
    pub lease: Duration,
}

/// What an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The receiver took it.
    Delivered,
    /// It is to be tried again after a delay.
    Retry(Duration),
    /// It is given up.
    GivenUp,
    /// The receiver said that it will never want any more: the delivery is
    /// given up and its endpoint disabled. A callback's lane is not.
    EndpointGone,
}

/// What became of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is written.
    Stored,
    /// The delivery is held by another, or is no longer pending.
    Fenced,
}

/// Which deliveries to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeliveryFilter {
    /// Only those to this endpoint.
    pub endpoint: Option<EndpointId>,
    /// Only those of this job.
    pub job: Option<JobId>,
    /// Only those in this status.
    pub status: Option<DeliveryStatus>,
}

/// A place in the list of a tenant's deliveries, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryPosition {
    /// When the delivery at that place was created.
    pub created_at: Timestamp,
    /// Its id, which breaks ties.
    pub id: DeliveryId,
}

/// A page of deliveries.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeliveryPage {
    /// The deliveries, newest first.
    pub deliveries: Vec<Delivery>,
    /// Where the next page starts; `None` at the end. As with
    /// [`JobPage`](super::JobPage), a page may be short and have a next one.
    pub next: Option<DeliveryPosition>,
}

/// Endpoints, and deliveries behind atomic transitions. Every verb may be
/// repeated after [`StoreError::Unavailable`].
#[async_trait]
pub trait Webhooks: Send + Sync + 'static {
    // ---- endpoints: each tenant sees its own only ----

    /// Registers an endpoint (version 1), or changes one: its version is then
    /// one more than that of the endpoint it was made from.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when another change, or its removal, came first;
    /// [`StoreError::Invalid`] past [`MAX_ENDPOINTS`] (callbacks do not count)
    /// and for a URL where there must be none or none where there must be one.
    async fn put_endpoint(&self, endpoint: &Endpoint) -> Result<(), StoreError>;

    /// One endpoint.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is unknown to the tenant.
    async fn endpoint(&self, tenant: &TenantId, id: &EndpointId) -> Result<Endpoint, StoreError>;

    /// The tenant's endpoints, oldest first, [`EndpointId::callbacks`] included
    /// once it is there.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn endpoints(&self, tenant: &TenantId) -> Result<Vec<Endpoint>, StoreError>;

    /// Removes an endpoint. What is pending for it is given up: a part here,
    /// the rest by the claims that follow, what a sender holds when it is tried
    /// or its lease is over.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is unknown to the tenant.
    async fn remove_endpoint(&self, tenant: &TenantId, id: &EndpointId) -> Result<(), StoreError>;

    // ---- senders ----

    /// Hands out deliveries that are due: tenants take turns, of a tenant its
    /// lanes, and inside a lane the longest due goes first; no more of a tenant
    /// or a lane than its cap leaves, none of a lane that rests, and one at a
    /// time of one whose rest is over until one succeeds. Those for an endpoint that is disabled are given up when
    /// they come due, noted as `endpoint_disabled`; those for one that was
    /// removed at once, as `endpoint_removed`. Takes no longer for a lane with
    /// many deliveries, or a tenant with many lanes, than for one with few.
    /// Never waits.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn claim_deliveries(
        &self,
        wish: &DeliveryClaim,
    ) -> Result<Vec<ClaimedDelivery>, StoreError>;

    /// Writes down an attempt and what it came to. A failure counts towards
    /// the lane's breaker and the endpoint's end, a success clears both.
    /// Failures of deliveries that were under way when the breaker opened
    /// count no more. A lease that is over but not handed to another counts.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn settle_delivery(
        &self,
        lease: &DeliveryLease,
        attempt: &DeliveryAttempt,
        verdict: Verdict,
    ) -> Result<Settled, StoreError>;

    /// Gives deliveries back untried, the attempt not counted. Leases that are
    /// no longer held are skipped.
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn release_deliveries(&self, held: &[DeliveryLease]) -> Result<(), StoreError>;

    /// Returns when a claim may succeed because a job has ended, or after
    /// `timeout`. A hint, as [`Store::wait_for_work`](super::Store::wait_for_work).
    async fn wait_for_deliveries(&self, timeout: Duration);

    // ---- the log: each tenant sees its own only ----

    /// One delivery.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is unknown to the tenant.
    async fn delivery(&self, tenant: &TenantId, id: &DeliveryId) -> Result<Delivery, StoreError>;

    /// The tenant's deliveries, newest first, at most `limit` (1 to 100).
    ///
    /// # Errors
    /// Only those of the store itself.
    async fn deliveries(
        &self,
        tenant: &TenantId,
        filter: &DeliveryFilter,
        after: Option<DeliveryPosition>,
        limit: usize,
    ) -> Result<DeliveryPage, StoreError>;

    /// Makes a delivery due now, however it stood, its schedule from the
    /// start and its message id the same. One that a sender holds at this
    /// moment is left to it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is unknown to the tenant.
    async fn replay_delivery(&self, tenant: &TenantId, id: &DeliveryId) -> Result<(), StoreError>;
}
