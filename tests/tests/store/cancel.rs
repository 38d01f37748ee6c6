//! Canceling: what waits ends at once, what runs is told.

use aisle_shared::domain::{ItemOutcome, JobStatus};
use aisle_shared::store::{Canceled, Extended, Recorded, StoreError, submit};
use aisle_tests::fixtures::{answer, items, job, unreachable_url};

use crate::world::{ALL, LEASE, World, is_not_found, leases, stranger};

pub(crate) async fn a_queued_job_ends_at_once(world: &World) {
    let new = job();
    world.enqueue(&new, 3).await;
    let canceled = world.store.cancel(&new.tenant, &new.id).await.unwrap();
    assert_eq!(canceled, Canceled::Requested { items: vec![0, 1, 2] });
    let found = world.job(&new).await;
    assert_eq!((found.status, found.items.canceled), (JobStatus::Canceled, 3));
    assert!(found.cancel_requested && found.completed_at == Some(world.clock.now()));
    assert_eq!(found.started_at, None);
    assert!(world.results(&new).await.iter().all(|(_, end)| *end == ItemOutcome::Canceled));
    assert_eq!(world.claim(ALL).await, []);
    assert_eq!(world.live().await, 0);
}

pub(crate) async fn delayed_and_solo_items_end_too(world: &World) {
    let new = job();
    world.enqueue(&new, 3).await;
    let claimed = world.claim(2).await;
    world.store.retry(&claimed[0].lease, 3 * LEASE, &unreachable_url()).await.unwrap();
    world.crash().await;
    let canceled = world.store.cancel(&new.tenant, &new.id).await.unwrap();
    assert_eq!(canceled, Canceled::Requested { items: vec![0, 1, 2] });
    assert_eq!(world.job(&new).await.status, JobStatus::Canceled);
    world.advance(3 * LEASE);
    assert_eq!(world.claim(ALL).await, []);
}

pub(crate) async fn running_items_learn_it_when_they_extend(world: &World) {
    let new = job();
    world.enqueue(&new, 3).await;
    let claimed = world.claim(2).await;
    world.enqueue(&job(), 1).await;
    let canceled = world.store.cancel(&new.tenant, &new.id).await.unwrap();
    assert_eq!(canceled, Canceled::Requested { items: vec![2] });
    let found = world.job(&new).await;
    assert_eq!((found.status, found.cancel_requested), (JobStatus::Processing, true));
    let other = world.claim_one().await;
    let held = [claimed[0].lease.clone(), other.lease, claimed[1].lease.clone()];
    let extended = world.store.extend(&held, LEASE).await.unwrap();
    let told = vec![claimed[0].lease.item, claimed[1].lease.item];
    assert_eq!(extended, Extended { lost: vec![], canceled: told });
    let ended = Recorded::Stored { job_ended: Some(JobStatus::Canceled) };
    assert!(matches!(
        world.complete(&claimed[0], ItemOutcome::Canceled).await,
        Recorded::Stored { job_ended: None }
    ));
    assert_eq!(world.complete(&claimed[1], ItemOutcome::Canceled).await, ended);
}

pub(crate) async fn an_item_that_finishes_first_keeps_its_result(world: &World) {
    let new = job();
    world.enqueue(&new, 2).await;
    let held = world.claim_one().await;
    world.store.cancel(&new.tenant, &new.id).await.unwrap();
    let ended = Recorded::Stored { job_ended: Some(JobStatus::Canceled) };
    assert_eq!(world.complete(&held, answer("Shirts")).await, ended);
    let expected = [(0, answer("Shirts")), (1, ItemOutcome::Canceled)];
    assert_eq!(world.results(&new).await, expected);
    let found = world.job(&new).await;
    assert_eq!((found.items.succeeded, found.items.canceled), (1, 1));
}

pub(crate) async fn an_item_given_back_to_a_canceled_job_ends(world: &World) {
    let new = job();
    world.enqueue(&new, 1).await;
    let claimed = world.claim(1).await;
    world.store.cancel(&new.tenant, &new.id).await.unwrap();
    world.store.release(&leases(&claimed)).await.unwrap();
    assert_eq!(world.claim(ALL).await, []);
    assert_eq!(world.job(&new).await.status, JobStatus::Canceled);
    assert_eq!(world.live().await, 0);
}

pub(crate) async fn ten_thousand_items_are_canceled_in_one_call(world: &World) {
    let new = job();
    submit(&*world.store, &new, &items(10_000)).await.unwrap();
    let claimed = world.claim(5).await;
    let canceled = world.store.cancel(&new.tenant, &new.id).await.unwrap();
    assert_eq!(canceled, Canceled::Requested { items: (5..10_000).collect() });
    assert_eq!(world.live().await, 5);
    assert_eq!(world.claim(ALL).await, []);
    for held in &claimed {
        world.complete(held, ItemOutcome::Canceled).await;
    }
    let found = world.job(&new).await;
    assert_eq!((found.status, found.items.canceled), (JobStatus::Canceled, 10_000));
}

pub(crate) async fn canceling_again_says_the_same(world: &World) {
    let new = job();
    world.enqueue(&new, 2).await;
    let held = world.claim_one().await;
    let first = world.store.cancel(&new.tenant, &new.id).await.unwrap();
    assert_eq!(first, Canceled::Requested { items: vec![1] });
    let nothing_more = Canceled::Requested { items: vec![] };
    let before = world.job(&new).await;
    assert_eq!(world.store.cancel(&new.tenant, &new.id).await.unwrap(), nothing_more);
    assert_eq!(world.job(&new).await, before, "a repeated call changed the job");
    world.complete(&held, ItemOutcome::Canceled).await;
    assert_eq!(world.store.cancel(&new.tenant, &new.id).await.unwrap(), nothing_more);
    assert_eq!(world.job(&new).await.items.canceled, 2);
}

pub(crate) async fn a_job_that_has_ended_stays_as_it_ended(world: &World) {
    let new = job();
    world.enqueue(&new, 1).await;
    world.finish().await;
    let before = world.job(&new).await;
    let canceled = world.store.cancel(&new.tenant, &new.id).await.unwrap();
    assert_eq!(canceled, Canceled::AlreadyEnded(JobStatus::Succeeded));
    assert_eq!(world.job(&new).await, before);
}

pub(crate) async fn only_the_tenant_may_cancel(world: &World) {
    let new = job();
    world.enqueue(&new, 1).await;
    assert!(is_not_found(&world.store.cancel(&stranger(), &new.id).await));
    assert!(is_not_found(&world.store.cancel(&new.tenant, &job().id).await));
    assert_eq!(world.job(&new).await.status, JobStatus::Queued);
    let open = job();
    world.store.open(&open, 5).await.unwrap();
    let canceled = world.store.cancel(&open.tenant, &open.id).await;
    assert!(matches!(canceled, Err(StoreError::NotFound)), "an open job is not there yet");
}
