//! Trying again, and running out of attempts.

use std::time::Duration;

use aisle_shared::domain::{ItemOutcome, JobStatus, NewJob};
use aisle_shared::store::{Lease, LeaseToken, Retried};
use aisle_tests::fixtures::{job, unreachable_url};

use crate::world::{ALL, World};

const DELAY: Duration = Duration::from_secs(30);

async fn retry(world: &World, lease: &Lease, after: Duration) -> Retried {
    world.store.retry(lease, after, &unreachable_url()).await.unwrap()
}

pub(crate) async fn an_item_tried_again_keeps_its_attempts_and_its_job_open(world: &World) {
    let new = job();
    world.enqueue(&new, 1).await;
    let first = world.claim_one().await;
    assert_eq!(retry(world, &first.lease, DELAY).await, Retried::Delayed);
    let found = world.job(&new).await;
    assert_eq!((found.status, found.items.ended()), (JobStatus::Processing, 0));
    assert_eq!(world.store.stats().await.unwrap().delayed, 1);
    world.advance(DELAY);
    let second = world.claim_one().await;
    assert_eq!((second.attempt, second.solo, &second.source), (2, false, &first.source));
}

pub(crate) async fn without_delay_it_is_ready_at_once(world: &World) {
    world.enqueue(&job(), 1).await;
    let held = world.claim_one().await;
    retry(world, &held.lease, Duration::ZERO).await;
    assert_eq!(world.claim_one().await.attempt, 2);
}

pub(crate) async fn spent_attempts_make_a_dead_letter(world: &World) {
    let new = job();
    world.enqueue(&new, 2).await;
    for _ in 0..2 {
        for held in world.claim(ALL).await {
            assert_eq!(retry(world, &held.lease, Duration::ZERO).await, Retried::Delayed);
        }
    }
    let last = world.claim(ALL).await;
    assert_eq!(last.iter().map(|held| held.attempt).collect::<Vec<_>>(), [3, 3]);
    assert_eq!(retry(world, &last[0].lease, DELAY).await, Retried::Dead { job_ended: None });
    let ended = Retried::Dead { job_ended: Some(JobStatus::Failed) };
    assert_eq!(retry(world, &last[1].lease, DELAY).await, ended);
    let failed = ItemOutcome::Failed(unreachable_url());
    assert_eq!(world.results(&new).await, [(0, failed.clone()), (1, failed)]);
    assert_eq!(world.store.dead_letters(10).await.unwrap().len(), 2);
    world.advance(DELAY);
    assert_eq!(world.claim(ALL).await, []);
}

pub(crate) async fn a_single_attempt_is_spent_at_once(world: &World) {
    world.enqueue(&NewJob { max_attempts: 1, ..job() }, 1).await;
    let held = world.claim_one().await;
    let dead = Retried::Dead { job_ended: Some(JobStatus::Failed) };
    assert_eq!(retry(world, &held.lease, DELAY).await, dead);
    assert_eq!(retry(world, &held.lease, DELAY).await, Retried::Gone);
}

pub(crate) async fn an_item_of_a_canceled_job_is_not_tried_again(world: &World) {
    let new = job();
    world.enqueue(&new, 2).await;
    let claimed = world.claim(2).await;
    world.store.cancel(&new.tenant, &new.id).await.unwrap();
    let canceled = Retried::Canceled { job_ended: None };
    assert_eq!(retry(world, &claimed[0].lease, DELAY).await, canceled);
    let ended = Retried::Canceled { job_ended: Some(JobStatus::Canceled) };
    assert_eq!(retry(world, &claimed[1].lease, DELAY).await, ended);
    assert_eq!(world.results(&new).await, [(0, ItemOutcome::Canceled), (1, ItemOutcome::Canceled)]);
    assert_eq!(world.store.dead_letters(10).await.unwrap(), []);
}

pub(crate) async fn one_who_does_not_hold_the_item_is_fenced(world: &World) {
    world.enqueue(&job(), 1).await;
    let held = world.claim_one().await;
    let forged = Lease { token: LeaseToken("1-forged".to_owned()), ..held.lease.clone() };
    assert_eq!(retry(world, &forged, DELAY).await, Retried::Fenced);
    assert_eq!(retry(world, &held.lease, DELAY).await, Retried::Delayed);
    world.advance(DELAY);
    let next = world.claim_one().await;
    assert_eq!(retry(world, &held.lease, DELAY).await, Retried::Fenced);
    world.succeed(&next).await;
    assert_eq!(retry(world, &held.lease, DELAY).await, Retried::Gone);
}

pub(crate) async fn asking_again_for_the_same_retry_does_not_move_the_delay(world: &World) {
    world.enqueue(&job(), 1).await;
    let held = world.claim_one().await;
    assert_eq!(retry(world, &held.lease, DELAY).await, Retried::Delayed);
    // The first answer was lost on its way, so the worker asks again.
    assert_eq!(retry(world, &held.lease, Duration::ZERO).await, Retried::Delayed);
    assert_eq!(world.claim(ALL).await, []);
    world.advance(DELAY);
    assert_eq!(world.claim_one().await.attempt, 2);
}
