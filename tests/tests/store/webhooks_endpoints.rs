//! Endpoints: registered, changed, removed, and what that does to what is
//! pending for them.

use aisle_shared::domain::{
    DeliveryStatus, Disabled, DisabledBecause, Endpoint, EndpointId, Event,
};
use aisle_shared::store::{BREAKER_AFTER, DeliveryFilter, MAX_ENDPOINTS, StoreError, Verdict};
use aisle_tests::fixtures::job;

use crate::webhooks::{AGAIN, HELD, MOMENT, callback, job_telling, secret, to_callback};
use crate::world::{ALL, World, is_invalid, is_not_found, stranger};

fn is_stale<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Stale))
}

/// The endpoint as a change makes it.
fn changed(endpoint: &Endpoint) -> Endpoint {
    Endpoint { version: endpoint.version + 1, ..endpoint.clone() }
}

fn disabled(endpoint: &Endpoint) -> Endpoint {
    let because = DisabledBecause::Requested;
    let disabled = Some(Disabled { because, at: endpoint.created_at });
    Endpoint { disabled, ..changed(endpoint) }
}

pub(crate) async fn an_endpoint_is_found_as_it_was_registered(world: &World) {
    let plain = world.register().await;
    world.advance(MOMENT);
    let full = Endpoint {
        events: vec![Event::JobFailed, Event::JobCanceled],
        description: "ü \"quoted\"\n\0".to_owned(),
        secrets: vec![secret("new", None), secret("old", Some(world.clock.now()))],
        ..disabled(&Endpoint { version: 0, ..world.new_endpoint() })
    };
    world.put(&full).await;
    world.advance(MOMENT);
    let signing = world.sign_callbacks().await;
    for endpoint in [&plain, &full, &signing] {
        assert_eq!(world.endpoint(endpoint).await, *endpoint);
    }
    let all = world.store.endpoints(&job().tenant).await.unwrap();
    assert_eq!(all, [plain, full, signing]);
}

pub(crate) async fn an_endpoint_is_changed_by_who_has_seen_it_last(world: &World) {
    let first = world.register().await;
    let second = Endpoint { description: "another".to_owned(), ..changed(&first) };
    world.put(&second).await;
    let late = Endpoint { description: "late".to_owned(), ..changed(&first) };
    for stale in [&late, &first, &Endpoint { version: 9, ..first.clone() }] {
        assert!(is_stale(&world.store.put_endpoint(stale).await));
    }
    assert_eq!(world.endpoint(&first).await, second);
}

pub(crate) async fn the_same_change_again_is_harmless(world: &World) {
    let first = world.register().await;
    world.put(&first).await;
    let second = changed(&first);
    world.put(&second).await;
    world.put(&second).await;
    assert_eq!(world.endpoint(&first).await, second);
}

pub(crate) async fn changes_at_once_have_one_winner(world: &World) {
    let first = world.register().await;
    let mut changing = tokio::task::JoinSet::new();
    for number in 0..8 {
        let store = world.another_handle().await.unwrap();
        let change = Endpoint { description: number.to_string(), ..changed(&first) };
        changing.spawn(async move { store.put_endpoint(&change).await });
    }
    let answers = changing.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(answers.iter().filter(|answer| is_stale(answer)).count(), 7);
}

pub(crate) async fn a_removed_endpoint_is_gone(world: &World) {
    let endpoint = world.register().await;
    let Endpoint { tenant, id, .. } = &endpoint;
    world.store.remove_endpoint(tenant, id).await.unwrap();
    assert!(is_not_found(&world.store.endpoint(tenant, id).await));
    assert!(is_not_found(&world.store.remove_endpoint(tenant, id).await));
    assert_eq!(world.store.endpoints(tenant).await.unwrap(), []);
    assert!(is_stale(&world.store.put_endpoint(&changed(&endpoint)).await));
    world.end(&job()).await;
    assert_eq!(world.log().await, []);
}

pub(crate) async fn no_tenant_sees_or_touches_anothers_endpoint(world: &World) {
    let endpoint = world.register().await;
    let id = &endpoint.id;
    assert!(is_not_found(&world.store.endpoint(&stranger(), id).await));
    assert!(is_not_found(&world.store.remove_endpoint(&stranger(), id).await));
    assert_eq!(world.store.endpoints(&stranger()).await.unwrap(), []);
    let theirs = Endpoint { tenant: stranger(), ..changed(&endpoint) };
    assert!(is_stale(&world.store.put_endpoint(&theirs).await));
    assert_eq!(world.endpoint(&endpoint).await, endpoint);
}

pub(crate) async fn a_tenant_has_fifty_endpoints_and_its_callbacks(world: &World) {
    let mut last = None;
    for _ in 0..MAX_ENDPOINTS {
        last = Some(world.register().await);
    }
    world.sign_callbacks().await;
    assert!(is_invalid(&world.store.put_endpoint(&world.new_endpoint()).await));
    let last = last.unwrap();
    world.put(&changed(&last)).await;
    world.put(&Endpoint { tenant: stranger(), ..world.new_endpoint() }).await;
    world.store.remove_endpoint(&last.tenant, &last.id).await.unwrap();
    world.register().await;
    world.end(&job_telling("hooks")).await;
    assert_eq!(world.log().await.len(), MAX_ENDPOINTS + 1);
}

pub(crate) async fn every_endpoint_but_that_of_callbacks_has_a_url(world: &World) {
    let none = Endpoint { url: None, ..world.new_endpoint() };
    let one = Endpoint { id: EndpointId::callbacks(), ..world.new_endpoint() };
    for wrong in [none, one] {
        assert!(is_invalid(&world.store.put_endpoint(&wrong).await));
    }
}

pub(crate) async fn removing_an_endpoint_gives_up_what_is_pending(world: &World) {
    world.sign_callbacks().await;
    world.end_many("hooks", 500).await;
    let held = world.due_one().await;
    world.stored(&held, Verdict::Retry(100 * HELD)).await;
    world.store.remove_endpoint(&job().tenant, &EndpointId::callbacks()).await.unwrap();
    for _ in 0..5 {
        assert_eq!(world.due(ALL).await, []);
    }
    let log = world.log().await;
    assert_eq!(log.len(), 500);
    for told in log {
        assert_eq!((told.status, told.due_at), (DeliveryStatus::Failed, None));
        assert_eq!(told.attempts.last().unwrap().error.as_deref(), Some("endpoint_removed"));
    }
}

pub(crate) async fn what_is_held_when_its_endpoint_goes_is_not_tried_again(world: &World) {
    let endpoint = world.register().await;
    for _ in 0..3 {
        world.end(&job()).await;
    }
    let held = world.due(3).await;
    world.store.remove_endpoint(&endpoint.tenant, &endpoint.id).await.unwrap();
    world.stored(&held[0], Verdict::Delivered).await;
    world.stored(&held[1], AGAIN).await;
    world.advance(HELD);
    assert_eq!(world.due(ALL).await, []);
    let status = [DeliveryStatus::Delivered, DeliveryStatus::Failed, DeliveryStatus::Failed];
    let errors = [None, Some("endpoint_removed"), Some("endpoint_removed")];
    for ((held, status), error) in held.iter().zip(status).zip(errors) {
        let told = world.delivery(&held.lease.id).await;
        assert_eq!(told.status, status);
        assert_eq!(told.attempts.last().unwrap().error.as_deref(), error);
    }
}

pub(crate) async fn what_is_not_due_waits_for_a_disabled_endpoint(world: &World) {
    let endpoint = world.register().await;
    world.end(&job()).await;
    let held = world.due_one().await;
    world.stored(&held, Verdict::Retry(HELD)).await;
    let off = disabled(&endpoint);
    world.put(&off).await;
    assert_eq!(world.due(ALL).await, []);
    world.put(&Endpoint { disabled: None, ..changed(&off) }).await;
    world.advance(HELD);
    assert_eq!(world.due(ALL).await.len(), 1);
}

pub(crate) async fn what_comes_due_for_a_disabled_endpoint_is_given_up(world: &World) {
    let endpoint = world.register().await;
    for _ in 0..3 {
        world.end(&job()).await;
    }
    world.put(&disabled(&endpoint)).await;
    assert_eq!(world.due(ALL).await, []);
    for told in world.log().await {
        assert_eq!((told.status, told.attempted), (DeliveryStatus::Failed, 0));
        let error = told.attempts[0].error.as_deref();
        assert_eq!((told.attempts.len(), error), (1, Some("endpoint_disabled")));
    }
}

pub(crate) async fn a_disabled_endpoint_holds_up_no_other(world: &World) {
    let endpoint = world.register().await;
    world.sign_callbacks().await;
    world.end_many("hooks", 400).await;
    world.put(&disabled(&endpoint)).await;
    let due = world.due(2).await;
    assert!(due.iter().all(|held| held.url == callback("hooks").unwrap().url));
    assert_eq!(due.len(), 2);
    for _ in 0..5 {
        world.due(0).await;
        world.due(1).await;
    }
    let filter = DeliveryFilter { endpoint: Some(endpoint.id), ..DeliveryFilter::default() };
    let log = world.log_of("shop", &filter).await;
    assert_eq!(log.len(), 400);
    assert!(log.iter().all(|told| told.status == DeliveryStatus::Failed));
}

pub(crate) async fn a_changed_url_is_where_pending_deliveries_go(world: &World) {
    let endpoint = world.register().await;
    world.end(&job()).await;
    let url = Some("https://new.test/".to_owned());
    world.put(&Endpoint { url: url.clone(), ..changed(&endpoint) }).await;
    let held = world.due_one().await;
    assert_eq!(Some(&held.url), url.as_ref());
    assert_eq!(Some(world.delivery(&held.lease.id).await.url), url);
}

pub(crate) async fn changing_an_endpoint_ends_its_rest(world: &World) {
    let endpoint = world.register().await;
    world.end(&job()).await;
    for _ in 0..BREAKER_AFTER {
        let held = world.due_one().await;
        world.stored(&held, AGAIN).await;
    }
    assert_eq!(world.due(ALL).await, []);
    world.put(&changed(&endpoint)).await;
    assert_eq!(world.due(ALL).await.len(), 1);
}

pub(crate) async fn callbacks_need_what_signs_them(world: &World) {
    let new = job_telling("hooks");
    world.end(&new).await;
    assert_eq!(world.due(ALL).await, []);
    let told = world.delivery(&to_callback(&new)).await;
    assert_eq!(told.attempts[0].error.as_deref(), Some("endpoint_removed"));
}
