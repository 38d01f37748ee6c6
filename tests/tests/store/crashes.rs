//! Items whose workers die: how often they come again, and when they stop.

use std::time::Duration;

use aisle_shared::domain::{ErrorCode, ItemError, ItemOutcome, JobStatus, NewJob};
use aisle_shared::store::{MAX_CRASHES, MAX_SOLO_CRASHES, Reaped, Retried};
use aisle_tests::fixtures::{job, unreachable_url};

use crate::world::{ALL, LEASE, World, leases};

fn hardy() -> NewJob {
    NewJob { max_attempts: 100, ..job() }
}

fn worker_lost(outcome: &ItemOutcome) -> bool {
    matches!(outcome, ItemOutcome::Failed(ItemError { code: ErrorCode::WorkerLost, .. }))
}

pub(crate) async fn the_second_crash_alone_makes_a_dead_letter(world: &World) {
    let new = hardy();
    world.enqueue(&new, 1).await;
    let item = world.claim_one().await.lease.item;
    assert_eq!(world.crash().await.requeued, [item]);
    for _ in 1..MAX_SOLO_CRASHES {
        assert!(world.claim_one().await.solo);
        assert_eq!(world.crash().await.requeued, [item]);
    }
    assert!(world.claim_one().await.solo);
    assert_eq!(world.crash().await, Reaped { dead: vec![item], ..Reaped::default() });
    let found = world.job(&new).await;
    assert_eq!((found.status, found.items.failed), (JobStatus::Failed, 1));
    assert!(found.completed_at.is_some());
    assert!(worker_lost(&world.results(&new).await[0].1));
    let letters = world.store.dead_letters(10).await.unwrap();
    assert_eq!((letters.len(), letters[0].item), (1, item));
    assert_eq!(letters[0].error.code, ErrorCode::WorkerLost);
    assert_eq!(world.claim(ALL).await, []);
}

pub(crate) async fn an_item_survives_its_crash_budget_and_no_more(world: &World) {
    world.enqueue(&hardy(), 1).await;
    for crash in 1..=MAX_CRASHES {
        let held = world.claim_one().await;
        assert!(!held.solo, "crash {crash}");
        let reaped = world.crash().await;
        if crash < MAX_CRASHES {
            assert_eq!(reaped.requeued, [held.lease.item], "crash {crash}");
            // Given back by a worker that stops, it is not alone any more.
            let alone = world.claim_one().await;
            world.store.release(&leases(&[alone])).await.unwrap();
        } else {
            assert_eq!(reaped.dead, [held.lease.item], "crash {crash}");
        }
    }
    assert_eq!(world.live().await, 0);
}

pub(crate) async fn a_crash_at_the_last_attempt_makes_a_dead_letter(world: &World) {
    let new = NewJob { max_attempts: 1, ..job() };
    world.enqueue(&new, 1).await;
    let held = world.claim_one().await;
    assert_eq!(world.crash().await.dead, [held.lease.item]);
    assert!(worker_lost(&world.results(&new).await[0].1));
    assert_eq!(world.claim(ALL).await, []);
}

pub(crate) async fn a_crash_is_counted_as_an_attempt(world: &World) {
    world.enqueue(&job(), 1).await;
    world.claim_one().await;
    world.crash().await;
    let second = world.claim_one().await;
    assert_eq!(second.attempt, 2);
    let retried = world.store.retry(&second.lease, Duration::ZERO, &unreachable_url()).await;
    assert_eq!(retried.unwrap(), Retried::Delayed);
    let third = world.claim_one().await;
    assert_eq!(third.attempt, 3);
    let retried = world.store.retry(&third.lease, Duration::ZERO, &unreachable_url()).await;
    assert_eq!(retried.unwrap(), Retried::Dead { job_ended: Some(JobStatus::Failed) });
}

pub(crate) async fn one_bad_item_does_not_take_its_batch_down(world: &World) {
    let new = hardy();
    world.enqueue(&new, 8).await;
    assert_eq!(world.claim(ALL).await.len(), 8);
    assert_eq!(world.crash().await.requeued.len(), 8);
    // Item 3 kills every worker; each of the others comes alone and succeeds.
    let mut rounds = 0;
    while world.live().await > 0 {
        rounds += 1;
        assert!(rounds < 20, "some items never end");
        let held = world.claim_one().await;
        if held.lease.item.index == 3 {
            world.crash().await;
        } else {
            world.succeed(&held).await;
        }
    }
    let found = world.job(&new).await;
    assert_eq!((found.status, found.items.succeeded), (JobStatus::Partial, 7));
    assert!(worker_lost(&world.results(&new).await[3].1));
}

pub(crate) async fn reaping_takes_no_more_than_its_limit(world: &World) {
    world.enqueue(&hardy(), 10).await;
    assert_eq!(world.claim(ALL).await.len(), 10);
    world.advance(LEASE);
    let mut requeued = Vec::new();
    for expected in [3, 3, 3, 1, 0] {
        let reaped = world.store.reap(3).await.unwrap();
        assert_eq!(reaped.requeued.len(), expected);
        requeued.extend(reaped.requeued);
    }
    requeued.sort_unstable();
    requeued.dedup();
    assert_eq!(requeued.len(), 10);
}

pub(crate) async fn an_item_of_a_canceled_job_ends_canceled_when_its_worker_dies(world: &World) {
    let new = job();
    world.enqueue(&new, 1).await;
    let held = world.claim_one().await;
    world.store.cancel(&new.tenant, &new.id).await.unwrap();
    let reaped = world.crash().await;
    assert_eq!(reaped, Reaped { canceled: vec![held.lease.item], ..Reaped::default() });
    assert_eq!(world.job(&new).await.status, JobStatus::Canceled);
    assert_eq!(world.results(&new).await, [(0, ItemOutcome::Canceled)]);
}
