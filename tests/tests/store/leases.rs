//! Holding items: renewing, losing and giving back.

use std::time::Duration;

use aisle_shared::clock::ManualClock;
use aisle_shared::domain::{ItemRef, NewJob};
use aisle_shared::store::{Extended, Lease, LeaseToken, Reaped, Recorded};
use aisle_tests::fixtures::{answer, job};

use crate::world::{ALL, LEASE, World, complete, indexes, leases, request};

const MOMENT: Duration = Duration::from_millis(1);

pub(crate) async fn a_lease_holds_until_its_time_is_up(world: &World) {
    world.enqueue(&job(), 1).await;
    let held = world.claim_one().await;
    world.advance(LEASE - MOMENT);
    assert_eq!(world.store.reap(ALL).await.unwrap(), Reaped::default());
    assert_eq!(world.claim(10).await, []);
    world.advance(MOMENT);
    let reaped = world.store.reap(ALL).await.unwrap();
    assert_eq!(reaped, Reaped { requeued: vec![held.lease.item], ..Reaped::default() });
}

pub(crate) async fn extending_keeps_the_items(world: &World) {
    world.enqueue(&job(), 3).await;
    let claimed = world.claim(3).await;
    for _ in 0..3 {
        world.advance(LEASE - MOMENT);
        let extended = world.store.extend(&leases(&claimed), LEASE).await.unwrap();
        assert_eq!(extended, Extended::default());
        assert_eq!(world.store.reap(ALL).await.unwrap(), Reaped::default());
    }
    for held in &claimed {
        assert!(matches!(world.succeed(held).await, Recorded::Stored { .. }));
    }
}

pub(crate) async fn extending_what_is_not_held_says_lost(world: &World) {
    let new = job();
    world.enqueue(&new, 4).await;
    let claimed = world.claim(3).await;
    world.succeed(&claimed[1]).await;
    let forged = Lease { token: LeaseToken("1-forged".to_owned()), ..claimed[2].lease.clone() };
    let never_claimed =
        Lease { item: ItemRef { job: new.id, index: 3 }, token: claimed[0].lease.token.clone() };
    let unknown =
        Lease { item: ItemRef { job: job().id, index: 0 }, token: claimed[0].lease.token.clone() };
    let held = [
        claimed[0].lease.clone(),
        claimed[1].lease.clone(),
        forged.clone(),
        never_claimed.clone(),
        unknown.clone(),
    ];
    let extended = world.store.extend(&held, LEASE).await.unwrap();
    let lost = vec![claimed[1].lease.item, forged.item, never_claimed.item, unknown.item];
    assert_eq!(extended, Extended { lost, canceled: vec![] });
    assert_eq!(world.store.extend(&[], LEASE).await.unwrap(), Extended::default());
}

pub(crate) async fn a_forged_extension_does_not_prolong_the_lease(world: &World) {
    world.enqueue(&job(), 1).await;
    let held = world.claim_one().await;
    let forged = Lease { token: LeaseToken("1-forged".to_owned()), ..held.lease.clone() };
    world.store.extend(&[forged], 10 * LEASE).await.unwrap();
    assert_eq!(world.crash().await.requeued, [held.lease.item]);
}

pub(crate) async fn an_expired_lease_that_nobody_reaped_still_counts(world: &World) {
    world.enqueue(&job(), 2).await;
    let claimed = world.claim(2).await;
    world.advance(3 * LEASE);
    assert!(matches!(world.succeed(&claimed[0]).await, Recorded::Stored { .. }));
    let extended = world.store.extend(&leases(&claimed[1..]), LEASE).await.unwrap();
    assert_eq!(extended, Extended::default());
    assert_eq!(world.store.reap(ALL).await.unwrap(), Reaped::default());
}

pub(crate) async fn an_item_that_took_a_worker_down_comes_alone(world: &World) {
    world.enqueue(&job(), 1).await;
    let lost = world.claim_one().await;
    world.crash().await;
    world.enqueue(&job(), 5).await;
    assert_eq!(world.claim(0).await, []);
    let alone = world.claim(ALL).await;
    assert_eq!(alone.len(), 1);
    assert_eq!((alone[0].lease.item, alone[0].solo), (lost.lease.item, true));
    assert_eq!(alone[0].attempt, 2);
    let rest = world.claim(ALL).await;
    assert_eq!((rest.len(), rest.iter().any(|held| held.solo)), (5, false));
}

pub(crate) async fn a_crash_in_one_model_does_not_stop_another(world: &World) {
    world.enqueue(&job(), 2).await;
    world.claim(2).await;
    world.crash().await;
    let bags = NewJob { model: crate::world::other_model(), ..job() };
    world.enqueue(&bags, 2).await;
    let claimed = world.store.claim(&request("bags", ALL)).await.unwrap();
    assert_eq!((claimed.len(), claimed.iter().any(|held| held.solo)), (2, false));
    assert_eq!(world.claim(ALL).await.len(), 1);
    assert_eq!(world.claim(ALL).await.len(), 1);
}

pub(crate) async fn releasing_gives_the_attempt_back(world: &World) {
    let new = NewJob { max_attempts: 1, ..job() };
    world.enqueue(&new, 3).await;
    for _ in 0..5 {
        let claimed = world.claim(ALL).await;
        assert_eq!(claimed.len(), 3);
        assert!(claimed.iter().all(|held| held.attempt == 1 && !held.solo));
        world.store.release(&leases(&claimed)).await.unwrap();
    }
    let claimed = world.claim(ALL).await;
    let mut places = indexes(&claimed);
    places.sort_unstable();
    assert_eq!(places, [0, 1, 2]);
    assert_eq!(world.store.dead_letters(10).await.unwrap(), []);
}

pub(crate) async fn releasing_clears_solo(world: &World) {
    world.enqueue(&job(), 2).await;
    world.claim(2).await;
    world.crash().await;
    let alone = world.claim(ALL).await;
    assert_eq!((alone.len(), alone[0].solo, alone[0].attempt), (1, true, 2));
    world.store.release(&leases(&alone)).await.unwrap();
    let other = world.claim(ALL).await;
    assert_eq!((other.len(), other[0].solo), (1, true));
    let back = world.claim(ALL).await;
    assert_eq!((back.len(), back[0].solo, back[0].attempt), (1, false, 2));
}

pub(crate) async fn releasing_what_is_not_held_changes_nothing(world: &World) {
    world.enqueue(&job(), 2).await;
    let claimed = world.claim(2).await;
    world.succeed(&claimed[0]).await;
    let forged = Lease { token: LeaseToken("1-forged".to_owned()), ..claimed[1].lease.clone() };
    world.store.release(&[claimed[0].lease.clone(), forged]).await.unwrap();
    assert_eq!(world.claim(ALL).await, []);
    assert!(matches!(world.succeed(&claimed[1]).await, Recorded::Stored { .. }));
}

pub(crate) async fn a_lease_far_in_the_future_is_taken_back(world: &World) {
    world.enqueue(&job(), 1).await;
    // The clock that gave the lease was wrong by ten days.
    let wrong = ManualClock::at(world.clock.now().plus(Duration::from_secs(10 * 86_400)));
    let store = world.handle_at(&wrong).await.unwrap();
    let held = store.claim(&request("shoes", 1)).await.unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!(world.store.reap(ALL).await.unwrap().requeued, [held[0].lease.item]);
    assert_eq!(world.claim(1).await.len(), 1);
}

pub(crate) async fn reaping_and_recording_at_once_have_one_winner(world: &World) {
    let other = world.another_handle().await.unwrap();
    let (mut recorded_first, mut reaped_first) = (0, 0);
    for round in 0..100 {
        let new = NewJob { max_attempts: 10, ..job() };
        world.enqueue(&new, 1).await;
        let held = world.claim_one().await;
        world.advance(LEASE);
        let (store, lease) = (world.store.clone(), held.lease.clone());
        let recording =
            tokio::spawn(async move { complete(&*store, &lease, answer("Shirts")).await });
        let reaper = other.clone();
        let reaping = tokio::spawn(async move { reaper.reap(ALL).await.unwrap() });
        let (recorded, reaped) = (recording.await.unwrap(), reaping.await.unwrap());
        match recorded {
            Recorded::Stored { .. } => {
                recorded_first += 1;
                assert_eq!(reaped, Reaped::default(), "round {round}: both won");
            }
            Recorded::Fenced => {
                reaped_first += 1;
                assert_eq!(reaped.requeued, [held.lease.item], "round {round}: none won");
                world.finish().await;
            }
            Recorded::Gone => panic!("round {round}: gone, but nobody ended it"),
        }
        assert_eq!(world.job(&new).await.items.succeeded, 1);
    }
    assert_eq!(recorded_first + reaped_first, 100);
}
