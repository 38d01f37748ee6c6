//! Ends that only a broken-off cancellation leaves to a claim, and that what
//! is told leaves no key behind.

use super::*;
use crate::domain::{
    Callback, DeliveryAttempt, DeliveryStatus, Endpoint, EndpointId, Event, SealedSecret,
};
use crate::domain::{DeliveryId, EndpointSecret};
use crate::store::{DELIVERY_RETENTION, DeliveryClaim, Settled, Verdict, Webhooks};

fn signing(clock: &ManualClock) -> Endpoint {
    Endpoint {
        id: EndpointId::callbacks(),
        tenant: tenant(),
        url: None,
        events: Vec::new(),
        description: String::new(),
        secrets: vec![EndpointSecret { sealed: SealedSecret("s1".to_owned()), expires_at: None }],
        disabled: None,
        created_at: clock.now(),
        version: 1,
    }
}

fn telling() -> NewJob {
    let origin = "https://[2001:db8::1]:8443".to_owned();
    NewJob { callback: Some(Callback { url: format!("{origin}/a?b=c:d"), origin }), ..job() }
}

#[tokio::test]
async fn an_item_that_a_claim_finds_canceled_tells_its_jobs_end() {
    let server = server_or_skip!();
    let (store, clock) = store_with_clock(&server).await;
    store.put_endpoint(&signing(&clock)).await.unwrap();
    let new = telling();
    store.enqueue(&new, &urls(2)).await.unwrap();
    // As a cancellation leaves a large job that was broken off after a part.
    let _: u32 = server.ask(&format!("HSET {{aisle:0}}:job:{} cancel 1", new.id));
    assert!(claim(&store, 2).await.is_empty());
    let id = DeliveryId { job: new.id, endpoint: EndpointId::callbacks() };
    let told = store.delivery(&tenant(), &id).await.unwrap();
    assert_eq!((told.event, told.status), (Event::JobCanceled, DeliveryStatus::Pending));
    assert_eq!(told.url, new.callback.unwrap().url);
}

#[tokio::test]
async fn a_forgotten_delivery_leaves_no_key() {
    let server = server_or_skip!();
    let (store, clock) = store_with_clock(&server).await;
    store.put_endpoint(&signing(&clock)).await.unwrap();
    let keys = || {
        let mut keys: Vec<String> = server.ask("KEYS *");
        keys.sort();
        keys
    };
    let before = keys();
    let new = telling();
    store.enqueue(&new, &urls(1)).await.unwrap();
    store.cancel(&tenant(), &new.id).await.unwrap();
    store.delete(&tenant(), &new.id).await.unwrap();
    let wish = DeliveryClaim { max: 1, per_lane: 1, per_tenant: 1, lease: LEASE };
    let held = store.claim_deliveries(&wish).await.unwrap().remove(0);
    assert_eq!(held.lane, new.callback.unwrap().origin);
    let attempt = DeliveryAttempt { at: clock.now(), took_ms: 1, status: Some(200), error: None };
    let settled = store.settle_delivery(&held.lease, &attempt, Verdict::Delivered).await;
    assert_eq!(settled.unwrap(), Settled::Stored);
    clock.advance(DELIVERY_RETENTION);
    store.sweep(10).await.unwrap();
    let mut left = keys();
    left.retain(|key| {
        !["gone:", "lanes", "tags:", "drained"].iter().any(|lasting| key.contains(lasting))
            && !before.contains(key)
    });
    assert_eq!(left, Vec::<String>::new());
}
