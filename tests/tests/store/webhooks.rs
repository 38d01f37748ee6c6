//! The steps that the cases about webhooks take.

use std::collections::BTreeSet;
use std::time::Duration;

use aisle_shared::domain::{
    Callback, ClaimedDelivery, Delivery, DeliveryAttempt, DeliveryId, Endpoint, EndpointId,
    EndpointSecret, ItemOutcome, NewJob, SealedSecret, TenantId, Timestamp,
};
use aisle_shared::store::{DeliveryClaim, DeliveryFilter, DeliveryPage, Settled, Store, Verdict};
use aisle_tests::fixtures::{answer, items, job, tenant};
use futures::StreamExt as _;

use crate::world::World;

/// How long a sender of these cases holds a delivery.
pub(crate) const HELD: Duration = Duration::from_secs(60);

/// Deliveries of a tenant that senders of these cases hold together: as good
/// as all, but where a case says otherwise.
pub(crate) const PER_TENANT: usize = 1_000;

/// Jobs that are submitted side by side.
const SUBMITTERS: usize = 64;

/// Deliveries of a lane that senders of these cases hold together.
pub(crate) const PER_LANE: usize = 4;

pub(crate) const MOMENT: Duration = Duration::from_millis(1);

/// A receiver behind an origin.
pub(crate) fn callback(origin: &str) -> Option<Callback> {
    let origin = format!("https://{origin}.test");
    Some(Callback { url: format!("{origin}/hooks?of=ours"), origin })
}

/// A job whose end is told to a receiver of its own.
pub(crate) fn job_telling(origin: &str) -> NewJob {
    NewJob { callback: callback(origin), ..job() }
}

pub(crate) fn secret(text: &str, expires_at: Option<Timestamp>) -> EndpointSecret {
    EndpointSecret { sealed: SealedSecret(text.to_owned()), expires_at }
}

pub(crate) fn wish(max: usize) -> DeliveryClaim {
    DeliveryClaim { max, per_lane: PER_LANE, per_tenant: PER_TENANT, lease: HELD }
}

/// Where the delivery of a job's callback is found.
pub(crate) fn to_callback(job: &NewJob) -> DeliveryId {
    DeliveryId { job: job.id, endpoint: EndpointId::callbacks() }
}

pub(crate) fn ids(claimed: &[ClaimedDelivery]) -> Vec<DeliveryId> {
    claimed.iter().map(|held| held.lease.id.clone()).collect()
}

pub(crate) fn lanes(claimed: &[ClaimedDelivery]) -> Vec<&str> {
    claimed.iter().map(|held| held.lane.as_str()).collect()
}

/// A try that a receiver refused.
pub(crate) fn refused(at: Timestamp) -> DeliveryAttempt {
    let error = Some("refused".to_owned());
    DeliveryAttempt { at, took_ms: 12, status: Some(500), error }
}

pub(crate) const AGAIN: Verdict = Verdict::Retry(Duration::ZERO);

impl World {
    /// A world in which the usual tenant's callbacks are signed.
    pub(crate) async fn sign_callbacks(&self) -> Endpoint {
        self.sign_callbacks_of(&job().tenant).await
    }

    pub(crate) async fn sign_callbacks_of(&self, tenant: &TenantId) -> Endpoint {
        let endpoint = Endpoint {
            id: EndpointId::callbacks(),
            url: None,
            tenant: tenant.clone(),
            ..self.new_endpoint()
        };
        self.put(&endpoint).await;
        endpoint
    }

    /// An endpoint of the usual tenant that wants everything.
    pub(crate) fn new_endpoint(&self) -> Endpoint {
        let id = EndpointId::generate();
        Endpoint {
            url: Some(format!("https://shop.test/{}", id.as_str())),
            id,
            tenant: job().tenant,
            events: Vec::new(),
            description: "our shop".to_owned(),
            secrets: vec![secret("s1", None)],
            disabled: None,
            created_at: self.clock.now(),
            version: 1,
        }
    }

    pub(crate) async fn register(&self) -> Endpoint {
        let endpoint = self.new_endpoint();
        self.put(&endpoint).await;
        endpoint
    }

    pub(crate) async fn put(&self, endpoint: &Endpoint) {
        self.store.put_endpoint(endpoint).await.unwrap();
    }

    pub(crate) async fn endpoint(&self, endpoint: &Endpoint) -> Endpoint {
        self.store.endpoint(&endpoint.tenant, &endpoint.id).await.unwrap()
    }

    /// Takes a job of one item to its good end.
    pub(crate) async fn end(&self, job: &NewJob) {
        self.enqueue(job, 1).await;
        self.finish().await;
    }

    /// Takes as many jobs to their end, which a callback of that origin is told.
    pub(crate) async fn end_many(&self, origin: &str, count: usize) -> BTreeSet<DeliveryId> {
        self.end_all((0..count).map(|_| job_telling(origin))).await
    }

    /// Takes jobs of one item to their good end; answers their callbacks.
    pub(crate) async fn end_all(
        &self,
        jobs: impl IntoIterator<Item = NewJob>,
    ) -> BTreeSet<DeliveryId> {
        let submitting = futures::stream::iter(jobs).map(|new| async move {
            self.store.enqueue(&new, &items(1)).await.unwrap();
            to_callback(&new)
        });
        let ids = submitting.buffer_unordered(SUBMITTERS).collect().await;
        let held = self.claim_all().await;
        let batch: Vec<(_, ItemOutcome)> =
            held.into_iter().map(|held| (held.lease, answer("Shirts"))).collect();
        for part in batch.chunks(200) {
            self.store.complete(part).await.unwrap();
        }
        ids
    }

    /// Claims deliveries.
    pub(crate) async fn due(&self, max: usize) -> Vec<ClaimedDelivery> {
        due_in(&*self.store, max).await
    }

    pub(crate) async fn due_one(&self) -> ClaimedDelivery {
        let mut due = self.due(1).await;
        assert_eq!(due.len(), 1, "no delivery is due");
        due.remove(0)
    }

    pub(crate) async fn settle(&self, held: &ClaimedDelivery, verdict: Verdict) -> Settled {
        let at = self.clock.now();
        let attempt = match verdict {
            Verdict::Delivered => {
                DeliveryAttempt { at, took_ms: 7, status: Some(204), error: None }
            }
            Verdict::Retry(_) | Verdict::GivenUp | Verdict::EndpointGone => refused(at),
        };
        self.store.settle_delivery(&held.lease, &attempt, verdict).await.unwrap()
    }

    /// Settles what is held, and counts.
    pub(crate) async fn stored(&self, held: &ClaimedDelivery, verdict: Verdict) {
        assert_eq!(self.settle(held, verdict).await, Settled::Stored);
    }

    pub(crate) async fn delivery(&self, id: &DeliveryId) -> Delivery {
        self.store.delivery(&job().tenant, id).await.unwrap()
    }

    /// All deliveries of a tenant, newest first.
    pub(crate) async fn log_of(&self, name: &str, filter: &DeliveryFilter) -> Vec<Delivery> {
        let tenant = tenant(name);
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.deliveries(&tenant, filter, after, 100).await.unwrap();
            let DeliveryPage { deliveries, next } = page;
            all.extend(deliveries);
            match next {
                Some(_) => after = next,
                None => return all,
            }
        }
    }

    pub(crate) async fn log(&self) -> Vec<Delivery> {
        self.log_of("shop", &DeliveryFilter::default()).await
    }
}

pub(crate) async fn due_in(store: &dyn Store, max: usize) -> Vec<ClaimedDelivery> {
    store.claim_deliveries(&wish(max)).await.unwrap()
}
