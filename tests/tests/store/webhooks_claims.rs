//! Senders claim, hold and settle deliveries.

use std::collections::BTreeSet;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aisle_shared::clock::ManualClock;
use aisle_shared::domain::{DeliveryLease, DeliveryStatus, Endpoint, Event, NewJob};
use aisle_shared::store::{DeliveryClaim, Settled, Verdict};
use aisle_tests::fixtures::job;

use crate::webhooks::{
    AGAIN, HELD, MOMENT, PER_LANE, callback, due_in, ids, job_telling, lanes, refused, secret,
    to_callback, wish,
};
use crate::world::{ALL, World, stranger};

pub(crate) async fn nothing_is_due_in_an_empty_store(world: &World) {
    assert_eq!(world.due(ALL).await, []);
    world.sign_callbacks().await;
    world.end(&job_telling("hooks")).await;
    assert_eq!(world.due(0).await, []);
    for none in
        [DeliveryClaim { per_lane: 0, ..wish(1) }, DeliveryClaim { per_tenant: 0, ..wish(1) }]
    {
        assert_eq!(world.store.claim_deliveries(&none).await.unwrap(), []);
    }
    assert_eq!(world.due(usize::MAX).await.len(), 1);
}

pub(crate) async fn a_claimed_delivery_carries_all_that_a_sender_needs(world: &World) {
    let soon = world.clock.now().plus(MOMENT);
    let secrets = vec![secret("new", None), secret("old", Some(soon))];
    let endpoint = Endpoint { secrets: secrets.clone(), ..world.new_endpoint() };
    world.put(&endpoint).await;
    world.sign_callbacks().await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let new = NewJob { trace: Some(trace.parse().unwrap()), ..job_telling("hooks") };
    world.end(&new).await;
    let due = world.due(ALL).await;
    let at = |lane: &str| due.iter().find(|held| held.lane == lane).unwrap();
    let (by_endpoint, by_callback) = (at(endpoint.id.as_str()), at("https://hooks.test"));
    assert_eq!((&by_endpoint.url, &by_endpoint.secrets), (&endpoint.url.unwrap(), &secrets));
    assert_eq!(by_callback.url, callback("hooks").unwrap().url);
    assert_eq!(by_callback.secrets, [secret("s1", None)]);
    for held in [by_endpoint, by_callback] {
        assert_eq!((&held.tenant, held.event, held.attempt), (&new.tenant, Event::JobSucceeded, 1));
        assert_eq!((held.job.id, held.lease.id.job), (new.id, new.id));
        assert_eq!(held.job.trace, new.trace);
    }
    assert_ne!(by_endpoint.lease.token, by_callback.lease.token);
}

pub(crate) async fn a_secret_signs_until_it_expires(world: &World) {
    let now = world.clock.now();
    let secrets = vec![secret("new", None), secret("old", Some(now.plus(MOMENT)))];
    world.put(&Endpoint { secrets, ..world.new_endpoint() }).await;
    world.end(&job()).await;
    world.advance(MOMENT);
    assert_eq!(world.due_one().await.secrets, [secret("new", None)]);
}

pub(crate) async fn a_held_delivery_is_handed_to_nobody_else(world: &World) {
    world.sign_callbacks().await;
    let new = job_telling("hooks");
    world.end(&new).await;
    world.due_one().await;
    let other = world.another_handle().await.unwrap();
    assert_eq!(due_in(&*other, ALL).await, []);
    world.advance(HELD - MOMENT);
    assert_eq!(due_in(&*other, ALL).await, []);
    assert_eq!(world.delivery(&to_callback(&new)).await.status, DeliveryStatus::Pending);
}

pub(crate) async fn a_dead_senders_delivery_comes_back_with_the_same_id(world: &World) {
    world.sign_callbacks().await;
    world.end(&job_telling("hooks")).await;
    let lost = world.due_one().await;
    world.advance(HELD);
    let again = world.due_one().await;
    assert_eq!((again.lease.id.clone(), again.attempt), (lost.lease.id.clone(), 2));
    assert_eq!(again.lease.id.message(), lost.lease.id.message());
    assert_ne!(again.lease.token, lost.lease.token);
    assert_eq!(world.settle(&lost, Verdict::Delivered).await, Settled::Fenced);
    let pending = world.delivery(&again.lease.id).await;
    assert_eq!((pending.status, pending.attempted), (DeliveryStatus::Pending, 2));
    assert_eq!(pending.attempts, [], "nobody knows what the dead one did");
    world.stored(&again, Verdict::Delivered).await;
}

pub(crate) async fn a_late_outcome_counts_unless_another_has_claimed(world: &World) {
    world.sign_callbacks().await;
    let new = job_telling("hooks");
    world.end(&new).await;
    let held = world.due_one().await;
    world.advance(2 * HELD);
    world.stored(&held, Verdict::Delivered).await;
    assert_eq!(world.due(ALL).await, []);
    let delivered = world.delivery(&to_callback(&new)).await;
    assert_eq!(delivered.status, DeliveryStatus::Delivered);
    assert_eq!((delivered.ended_at, delivered.due_at), (Some(world.clock.now()), None));
}

pub(crate) async fn settling_again_says_the_same_and_changes_nothing(world: &World) {
    world.sign_callbacks().await;
    world.end(&job_telling("hooks")).await;
    let held = world.due_one().await;
    world.stored(&held, Verdict::Retry(HELD)).await;
    let first = world.delivery(&held.lease.id).await;
    assert_eq!(first.due_at, Some(world.clock.now().plus(HELD)));
    world.advance(MOMENT);
    world.stored(&held, Verdict::Delivered).await;
    assert_eq!(world.delivery(&held.lease.id).await, first);
    world.advance(HELD);
    let again = world.due_one().await;
    world.stored(&held, Verdict::GivenUp).await;
    world.stored(&again, Verdict::Delivered).await;
    let ended = world.delivery(&held.lease.id).await;
    assert_eq!((ended.status, ended.attempts.len()), (DeliveryStatus::Delivered, 2));
}

pub(crate) async fn a_forged_token_changes_nothing(world: &World) {
    world.sign_callbacks().await;
    let new = job_telling("hooks");
    world.end(&new).await;
    let mut held = world.due_one().await;
    let before = world.delivery(&held.lease.id).await;
    for token in ["", "0", &held.lease.token[1..]] {
        let forged = DeliveryLease { token: token.to_owned(), ..held.lease.clone() };
        world.store.release_deliveries(slice::from_ref(&forged)).await.unwrap();
        let mut stranger = held.clone();
        stranger.lease = forged;
        assert_eq!(world.settle(&stranger, Verdict::Delivered).await, Settled::Fenced);
    }
    assert_eq!(world.delivery(&held.lease.id).await, before);
    assert_eq!(world.due(ALL).await, []);
    held.lease.id = to_callback(&job());
    assert_eq!(world.settle(&held, Verdict::Delivered).await, Settled::Fenced);
}

pub(crate) async fn a_released_delivery_is_due_at_once_and_its_attempt_not_counted(world: &World) {
    world.sign_callbacks().await;
    world.end(&job_telling("hooks")).await;
    let held = world.due_one().await;
    let due_at = world.delivery(&held.lease.id).await.due_at;
    world.advance(MOMENT);
    world.store.release_deliveries(slice::from_ref(&held.lease)).await.unwrap();
    let released = world.delivery(&held.lease.id).await;
    assert_eq!((released.attempted, released.due_at), (0, due_at));
    let again = world.due_one().await;
    assert_eq!(again.attempt, 1);
    world.store.release_deliveries(slice::from_ref(&held.lease)).await.unwrap();
    assert_eq!(world.settle(&held, Verdict::Delivered).await, Settled::Fenced);
    world.stored(&again, Verdict::Delivered).await;
    world.store.release_deliveries(&[again.lease]).await.unwrap();
    assert_eq!(world.due(ALL).await, []);
}

pub(crate) async fn a_delivery_is_tried_again_when_due_and_not_before(world: &World) {
    world.sign_callbacks().await;
    world.end(&job_telling("hooks")).await;
    let pause = Duration::from_secs(300);
    for attempt in 1..4 {
        let held = world.due_one().await;
        assert_eq!(held.attempt, attempt);
        world.stored(&held, Verdict::Retry(pause)).await;
        world.advance(pause - MOMENT);
        assert_eq!(world.due(ALL).await, []);
        world.advance(MOMENT);
    }
    let held = world.due_one().await;
    world.stored(&held, Verdict::GivenUp).await;
    let failed = world.delivery(&held.lease.id).await;
    assert_eq!((failed.status, failed.attempted), (DeliveryStatus::Failed, 4));
    assert_eq!((failed.due_at, failed.ended_at), (None, Some(world.clock.now())));
    world.advance(pause);
    assert_eq!(world.due(ALL).await, []);
}

pub(crate) async fn senders_together_hold_no_more_of_a_lane_than_its_cap(world: &World) {
    world.sign_callbacks().await;
    world.end_many("hooks", 10).await;
    let other = world.another_handle().await.unwrap();
    let mut held = world.due(3).await;
    held.extend(due_in(&*other, ALL).await);
    assert_eq!(held.len(), PER_LANE);
    assert_eq!(world.due(ALL).await, []);
    world.stored(&held[0], Verdict::Delivered).await;
    world.stored(&held[1], Verdict::Delivered).await;
    assert_eq!(due_in(&*other, ALL).await.len(), 2);
    assert_eq!(world.due(ALL).await, []);
    world.advance(HELD);
    assert_eq!(world.due(ALL).await.len(), PER_LANE, "dead senders hold no places");
}

pub(crate) async fn a_full_lane_takes_what_ends_while_it_is_full(world: &World) {
    world.sign_callbacks().await;
    world.end_many("hooks", PER_LANE).await;
    let held = world.due(ALL).await;
    assert_eq!(world.due(ALL).await, []);
    let late = world.end_many("hooks", 1).await;
    assert_eq!(world.due(ALL).await, []);
    world.stored(&held[0], Verdict::Delivered).await;
    assert_eq!(ids(&world.due(ALL).await), late.into_iter().collect::<Vec<_>>());
}

pub(crate) async fn tenants_have_lanes_of_their_own(world: &World) {
    world.sign_callbacks().await;
    world.sign_callbacks_of(&stranger()).await;
    world.end_many("hooks", 2 * PER_LANE).await;
    world.end(&NewJob { tenant: stranger(), ..job_telling("hooks") }).await;
    let due = world.due(ALL).await;
    assert_eq!(due.len(), PER_LANE + 1);
    assert_eq!(due.iter().filter(|held| held.tenant == stranger()).count(), 1);
}

pub(crate) async fn the_longest_due_goes_first(world: &World) {
    world.sign_callbacks().await;
    let mut expected = Vec::new();
    for _ in 0..PER_LANE {
        let new = job_telling("hooks");
        world.end(&new).await;
        expected.push(to_callback(&new));
        world.advance(MOMENT);
    }
    let first = world.due_one().await;
    assert_eq!(first.lease.id, expected[0]);
    world.stored(&first, AGAIN).await;
    expected.rotate_left(1);
    assert_eq!(ids(&world.due(ALL).await), expected);
}

pub(crate) async fn lanes_take_turns(world: &World) {
    world.sign_callbacks().await;
    for lane in ["a", "b", "c"] {
        world.end_many(lane, 2 * PER_LANE).await;
        world.advance(MOMENT);
    }
    let mut order = String::new();
    for _ in 0..9 {
        let held = world.due_one().await;
        order.push_str(&held.lane["https://".len()..][..1]);
        world.stored(&held, Verdict::Delivered).await;
    }
    assert_eq!(order, "abcabcabc");
    let due = world.due(7).await;
    let mut shares = ["a", "b", "c"]
        .map(|lane| lanes(&due).iter().filter(|of| **of == format!("https://{lane}.test")).count());
    shares.sort_unstable();
    assert_eq!(shares, [2, 2, 3]);
}

pub(crate) async fn a_clock_that_was_set_back_holds_up_nothing_new(world: &World) {
    world.sign_callbacks().await;
    world.end_many("hooks", 2).await;
    let ahead = ManualClock::at(world.clock.now().plus(Duration::from_secs(3_600)));
    let wrong = world.handle_at(&ahead).await.unwrap();
    let held = due_in(&*wrong, 1).await;
    let attempt = refused(ahead.now());
    wrong.settle_delivery(&held[0].lease, &attempt, Verdict::Delivered).await.unwrap();
    world.end_many("hooks", 1).await;
    assert_eq!(world.due(ALL).await.len(), 2);
}

pub(crate) async fn a_lane_of_two_thousand_starves_no_other(world: &World) {
    world.sign_callbacks().await;
    world.end_many("crowd", 2_000).await;
    world.advance(Duration::from_secs(3_600));
    for _ in 0..3 {
        let held = world.due(2).await;
        assert_eq!(lanes(&held), ["https://crowd.test"; 2]);
        world.end_many("single", 1).await;
        let single = world.due_one().await;
        assert_eq!(single.lane, "https://single.test");
        for held in held.iter().chain([&single]) {
            world.stored(held, Verdict::Delivered).await;
        }
    }
}

pub(crate) async fn senders_at_once_share_without_overlap(world: &World) {
    world.sign_callbacks().await;
    let mut expected = BTreeSet::new();
    for lane in ["a", "b", "c", "d"] {
        expected.extend(world.end_many(lane, 100).await);
    }
    let left = Arc::new(AtomicUsize::new(expected.len()));
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (store, left) = (world.another_handle().await.unwrap(), Arc::clone(&left));
        let at = world.clock.now();
        senders.spawn(async move {
            let mut sent = Vec::new();
            while left.load(Ordering::Relaxed) > 0 {
                for held in due_in(&*store, 5).await {
                    let settled =
                        store.settle_delivery(&held.lease, &refused(at), Verdict::Delivered).await;
                    assert_eq!(settled.unwrap(), Settled::Stored);
                    sent.push(held.lease.id);
                    left.fetch_sub(1, Ordering::Relaxed);
                }
            }
            sent
        });
    }
    let sent: Vec<_> = senders.join_all().await.into_iter().flatten().collect();
    assert_eq!(sent.len(), expected.len());
    assert_eq!(sent.into_iter().collect::<BTreeSet<_>>(), expected);
}
