//! Receivers that fail are left alone for a while, and in the end for good.

use std::time::Duration;

use aisle_shared::domain::{DeliveryStatus, Disabled, DisabledBecause, EndpointId};
use aisle_shared::store::{
    BREAKER_AFTER, BREAKER_FIRST, BREAKER_LONGEST, DISABLED_AFTER, DeliveryClaim, Verdict,
};
use aisle_tests::fixtures::job;

use crate::webhooks::{AGAIN, HELD, MOMENT, PER_LANE, ids, lanes, wish};
use crate::world::{ALL, World};

/// Lets a lane fail until its breaker opens.
async fn open_the_breaker(world: &World) {
    for _ in 0..BREAKER_AFTER {
        let held = world.due_one().await;
        world.stored(&held, AGAIN).await;
    }
}

pub(crate) async fn a_lane_that_fails_five_times_rests(world: &World) {
    world.sign_callbacks().await;
    world.end_many("hooks", 10).await;
    for _ in 0..BREAKER_AFTER {
        let held = world.due_one().await;
        world.stored(&held, AGAIN).await;
    }
    assert_eq!(world.due(ALL).await, []);
    world.advance(BREAKER_FIRST - MOMENT);
    assert_eq!(world.due(ALL).await, []);
    world.advance(MOMENT);
    assert_eq!(world.due(ALL).await.len(), 1, "one tries");
    assert_eq!(world.due(ALL).await, [], "the others wait for it");
}

pub(crate) async fn a_success_between_failures_starts_the_count_anew(world: &World) {
    world.sign_callbacks().await;
    world.end_many("hooks", 10).await;
    for verdict in [AGAIN, AGAIN, AGAIN, AGAIN, Verdict::Delivered, AGAIN, AGAIN, AGAIN, AGAIN] {
        let held = world.due_one().await;
        world.stored(&held, verdict).await;
    }
    assert_eq!(world.due(ALL).await.len(), PER_LANE);
}

pub(crate) async fn each_failed_try_doubles_the_rest_up_to_the_longest(world: &World) {
    world.sign_callbacks().await;
    world.end_many("hooks", 3).await;
    open_the_breaker(world).await;
    let mut rest = BREAKER_FIRST;
    for _ in 0..9 {
        world.advance(rest - MOMENT);
        assert_eq!(world.due(ALL).await, [], "after less than {rest:?}");
        world.advance(MOMENT);
        let due = world.due(ALL).await;
        assert_eq!(due.len(), 1, "after {rest:?}");
        world.stored(&due[0], AGAIN).await;
        rest = (2 * rest).min(BREAKER_LONGEST);
    }
    assert_eq!(rest, BREAKER_LONGEST);
}

pub(crate) async fn a_try_that_succeeds_closes_the_breaker(world: &World) {
    world.sign_callbacks().await;
    world.end_many("hooks", 10).await;
    open_the_breaker(world).await;
    world.advance(BREAKER_FIRST);
    let held = world.due_one().await;
    world.stored(&held, Verdict::Delivered).await;
    assert_eq!(world.due(ALL).await.len(), PER_LANE);
}

pub(crate) async fn a_try_whose_sender_dies_is_made_by_another(world: &World) {
    world.sign_callbacks().await;
    world.end_many("hooks", 3).await;
    open_the_breaker(world).await;
    world.advance(BREAKER_FIRST);
    world.due_one().await;
    world.advance(HELD - MOMENT);
    assert_eq!(world.due(ALL).await, []);
    world.advance(MOMENT);
    assert_eq!(world.due(ALL).await.len(), 1);
}

pub(crate) async fn failures_that_were_under_way_do_not_prolong_the_rest(world: &World) {
    world.sign_callbacks().await;
    world.end_many("hooks", 20).await;
    let wide = DeliveryClaim { per_lane: 20, ..wish(20) };
    let held = world.store.claim_deliveries(&wide).await.unwrap();
    assert_eq!(held.len(), 20);
    for held in &held {
        world.stored(held, AGAIN).await;
    }
    world.advance(BREAKER_FIRST);
    assert_eq!(world.due(ALL).await.len(), 1);
}

pub(crate) async fn a_success_that_was_under_way_ends_the_rest(world: &World) {
    world.sign_callbacks().await;
    world.end_many("hooks", 20).await;
    let wide = DeliveryClaim { per_lane: 10, ..wish(10) };
    let held = world.store.claim_deliveries(&wide).await.unwrap();
    for held in &held[..9] {
        world.stored(held, AGAIN).await;
    }
    assert_eq!(world.due(ALL).await, []);
    world.stored(&held[9], Verdict::Delivered).await;
    assert_eq!(world.due(ALL).await.len(), PER_LANE);
}

pub(crate) async fn a_lane_that_rests_holds_up_no_other(world: &World) {
    world.sign_callbacks().await;
    world.end_many("broken", 10).await;
    open_the_breaker(world).await;
    world.end_many("sound", 2).await;
    assert_eq!(lanes(&world.due(ALL).await), ["https://sound.test"; 2]);
}

pub(crate) async fn what_comes_while_a_lane_rests_waits_too(world: &World) {
    world.sign_callbacks().await;
    world.end_many("hooks", 2).await;
    open_the_breaker(world).await;
    world.end_many("hooks", 2).await;
    assert_eq!(world.due(ALL).await, []);
}

/// Lets an endpoint fail once an hour for so long.
async fn fail_for(world: &World, time: Duration) {
    let hour = Duration::from_secs(3_600);
    for _ in 0..time.as_secs() / hour.as_secs() {
        let held = world.due_one().await;
        world.stored(&held, Verdict::Retry(hour)).await;
        world.advance(hour);
    }
}

pub(crate) async fn an_endpoint_that_fails_for_five_days_is_disabled(world: &World) {
    let endpoint = world.register().await;
    world.end(&job()).await;
    fail_for(world, DISABLED_AFTER).await;
    assert_eq!(world.endpoint(&endpoint).await, endpoint);
    let held = world.due_one().await;
    world.stored(&held, AGAIN).await;
    let at = world.clock.now();
    let found = world.endpoint(&endpoint).await;
    assert_eq!(found.disabled, Some(Disabled { because: DisabledBecause::Failing, at }));
    assert_eq!(found.version, endpoint.version + 1);
    world.end(&job()).await;
    assert_eq!(world.log().await.len(), 1, "it is told no more");
}

pub(crate) async fn a_success_within_the_five_days_keeps_an_endpoint(world: &World) {
    let endpoint = world.register().await;
    world.end(&job()).await;
    world.end(&job()).await;
    let most = DISABLED_AFTER - Duration::from_secs(3_600);
    let kept = world.due_one().await;
    world.stored(&kept, Verdict::Retry(most)).await;
    fail_for(world, most).await;
    for held in world.due(1).await {
        world.stored(&held, Verdict::Delivered).await;
    }
    fail_for(world, most).await;
    assert_eq!(world.endpoint(&endpoint).await, endpoint);
}

pub(crate) async fn a_few_failures_far_apart_disable_nothing(world: &World) {
    let endpoint = world.register().await;
    world.end(&job()).await;
    for _ in 1..BREAKER_AFTER {
        let held = world.due_one().await;
        world.stored(&held, Verdict::Retry(DISABLED_AFTER)).await;
        world.advance(DISABLED_AFTER);
    }
    assert_eq!(world.endpoint(&endpoint).await, endpoint);
}

pub(crate) async fn an_endpoint_that_is_gone_is_disabled(world: &World) {
    let endpoint = world.register().await;
    world.end(&job()).await;
    world.end(&job()).await;
    let held = world.due_one().await;
    world.stored(&held, Verdict::EndpointGone).await;
    let at = world.clock.now();
    let found = world.endpoint(&endpoint).await;
    assert_eq!(found.disabled, Some(Disabled { because: DisabledBecause::Gone, at }));
    assert_eq!(found.version, endpoint.version + 1);
    assert_eq!(world.due(ALL).await, []);
    for told in world.log().await {
        assert_eq!((told.status, told.ended_at), (DeliveryStatus::Failed, Some(at)));
        let noted = told.id != held.lease.id;
        let error = told.attempts.last().unwrap().error.as_deref();
        assert_eq!(error, Some(if noted { "endpoint_disabled" } else { "refused" }));
        assert_eq!(told.attempted, u32::from(!noted), "a note is no try");
    }
}

pub(crate) async fn a_callback_that_is_gone_stops_no_other(world: &World) {
    let signing = world.sign_callbacks().await;
    world.end_many("hooks", 10).await;
    let mut gone = Vec::new();
    for _ in 0..=BREAKER_AFTER {
        let held = world.due_one().await;
        world.stored(&held, Verdict::EndpointGone).await;
        gone.push(held.lease.id);
    }
    assert_eq!(world.endpoint(&signing).await, signing);
    for id in &gone {
        assert_eq!(world.delivery(id).await.status, DeliveryStatus::Failed);
    }
    let due = world.due(ALL).await;
    assert_eq!(due.len(), PER_LANE);
    assert!(ids(&due).iter().all(|id| !gone.contains(id)));
}

pub(crate) async fn callbacks_are_never_disabled(world: &World) {
    let signing = world.sign_callbacks().await;
    world.end_many("hooks", 1).await;
    fail_for(world, 2 * DISABLED_AFTER).await;
    let endpoints = world.store.endpoints(&job().tenant).await.unwrap();
    assert_eq!(endpoints, [signing]);
    assert_eq!(world.due_one().await.lease.id.endpoint, EndpointId::callbacks());
}
