//! Callers' keys: the same request twice is one job.

use std::time::Duration;

use aisle_shared::domain::{Idempotency, JobId, NewJob};
use aisle_shared::store::{Enqueued, Found, StoreError, Switch, submit};
use aisle_tests::fixtures::{RETENTION, items, job, job_of};

use crate::world::World;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A job with that key and fingerprint.
fn keyed(key: &str, fingerprint: &str) -> NewJob {
    with_key(job(), key, fingerprint)
}

fn with_key(job: NewJob, key: &str, fingerprint: &str) -> NewJob {
    let idempotency =
        Idempotency { key: key.to_owned(), fingerprint: fingerprint.to_owned(), keep: DAY };
    NewJob { id: JobId::for_key(&job.tenant, key), idempotency: Some(idempotency), ..job }
}

pub(crate) async fn a_key_again_repeats_the_first_job_and_writes_nothing(world: &World) {
    let first = keyed("k", "f");
    world.enqueue(&first, 2).await;
    for count in [2, 5] {
        let again = world.store.enqueue(&keyed("k", "f"), &items(count)).await.unwrap();
        assert_eq!(again, Enqueued::Repeated(first.id));
    }
    assert_eq!(world.live().await, 2);
    world.finish().await;
    let again = world.store.enqueue(&keyed("k", "f"), &items(2)).await.unwrap();
    assert_eq!(again, Enqueued::Repeated(first.id));
    assert_eq!(world.live().await, 0);
}

pub(crate) async fn a_job_whose_id_is_not_for_its_key_is_invalid(world: &World) {
    let key = |n: u32| n.to_string();
    let id = JobId::generate();
    let wrong = (0..).map(key).find(|key| !id.is_for_key(&job().tenant, key)).unwrap();
    let job = NewJob { id, ..keyed(&wrong, "f") };
    let refused = world.store.enqueue(&job, &items(1)).await;
    assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    let refused = world.store.open(&job, 300).await;
    assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    assert_eq!(world.live().await, 0);
}

pub(crate) async fn a_key_for_another_request_is_refused(world: &World) {
    world.enqueue(&keyed("k", "f"), 1).await;
    let other = keyed("k", "g");
    let refused = world.store.enqueue(&other, &items(1)).await;
    assert!(matches!(refused, Err(StoreError::KeyReused)), "{refused:?}");
    let refused = world.store.open(&other, 300).await;
    assert!(matches!(refused, Err(StoreError::KeyReused)), "{refused:?}");
    assert_eq!(world.store.existing(&[other.id]).await.unwrap(), []);
    world.enqueue(&keyed("K", "g"), 1).await;
}

pub(crate) async fn a_key_is_one_tenants_own(world: &World) {
    world.enqueue(&with_key(job_of("a"), "k", "f"), 1).await;
    world.enqueue(&with_key(job_of("b"), "k", "g"), 1).await;
    assert_eq!(world.live().await, 2);
}

pub(crate) async fn a_key_is_forgotten_when_its_time_is_over(world: &World) {
    let first = keyed("k", "f");
    world.enqueue(&first, 1).await;
    world.advance(DAY - Duration::from_millis(1));
    let again = world.store.enqueue(&keyed("k", "f"), &items(1)).await.unwrap();
    assert_eq!(again, Enqueued::Repeated(first.id));
    world.advance(Duration::from_millis(1));
    let second = keyed("k", "g");
    world.enqueue(&second, 1).await;
    let again = world.store.enqueue(&keyed("k", "g"), &items(1)).await.unwrap();
    assert_eq!(again, Enqueued::Repeated(second.id));
}

pub(crate) async fn a_key_outlives_its_job(world: &World) {
    let (deleted, expired) = (keyed("d", "f"), keyed("e", "f"));
    world.enqueue(&deleted, 1).await;
    world.store.delete(&deleted.tenant, &deleted.id).await.unwrap();
    world.enqueue(&expired, 1).await;
    world.finish().await;
    world.advance(RETENTION);
    assert_eq!(world.store.sweep(10).await.unwrap().expired.len(), 1);
    for (gone, key) in [(deleted, "d"), (expired, "e")] {
        let NewJob { id, tenant, .. } = gone;
        let again = keyed(key, "f");
        let enqueued = world.store.enqueue(&again, &items(1)).await.unwrap();
        assert_eq!(enqueued, Enqueued::Repeated(id));
        assert_eq!(world.find(&tenant, &id).await, Found::Expired);
    }
    assert_eq!(world.live().await, 0);
}

pub(crate) async fn a_key_from_eight_at_once_makes_one_job(world: &World) {
    let mut submitters = Vec::new();
    for _ in 0..8 {
        let store = world.another_handle().await.unwrap();
        let job = keyed("k", "f");
        submitters.push(tokio::spawn(async move {
            (job.id, store.enqueue(&job, &items(3)).await.unwrap())
        }));
    }
    let mut made = Vec::new();
    for submitter in submitters {
        made.push(match submitter.await.unwrap() {
            (own, Enqueued::Created { .. }) => (own, true),
            (_, Enqueued::Repeated(first)) => (first, false),
            (_, Enqueued::Replayed) => panic!("an id was taken for another's"),
        });
    }
    assert_eq!(made.iter().filter(|(_, created)| *created).count(), 1);
    assert!(made.iter().all(|(id, _)| *id == made[0].0), "{made:?}");
    assert_eq!(world.live().await, 3);
}

pub(crate) async fn a_repeated_key_is_recognised_when_nothing_is_taken_in(world: &World) {
    let store = world.handle_limited_to(1).await.unwrap();
    let first = keyed("k", "f");
    assert!(store.enqueue(&first, &items(1)).await.unwrap().is_created());
    let again = store.enqueue(&keyed("k", "f"), &items(1)).await.unwrap();
    assert_eq!(again, Enqueued::Repeated(first.id));
    store.set_switch(Switch::IntakeClosed, true).await.unwrap();
    let again = store.enqueue(&keyed("k", "f"), &items(1)).await.unwrap();
    assert_eq!(again, Enqueued::Repeated(first.id));
}

pub(crate) async fn a_refused_job_leaves_its_key_free(world: &World) {
    let store = world.handle_limited_to(1).await.unwrap();
    let refused = store.enqueue(&keyed("k", "f"), &items(2)).await;
    assert!(matches!(refused, Err(StoreError::Full { .. })), "{refused:?}");
    assert!(store.enqueue(&keyed("k", "g"), &items(1)).await.unwrap().is_created());
}

pub(crate) async fn the_submitter_itself_may_repeat_its_call(world: &World) {
    let new = keyed("k", "f");
    world.enqueue(&new, 1).await;
    assert_eq!(world.store.enqueue(&new, &items(1)).await.unwrap(), Enqueued::Replayed);
    let large = keyed("l", "f");
    assert!(world.store.open(&large, 300).await.unwrap().is_created());
    assert_eq!(submit(&*world.store, &large, &items(300)).await.unwrap(), Enqueued::Replayed);
    assert_eq!(world.live().await, 301);
}

pub(crate) async fn a_key_of_a_large_job_waits_until_it_is_sealed(world: &World) {
    let first = keyed("k", "f");
    world.store.open(&first, 250).await.unwrap();
    let again = submit(&*world.store, &keyed("k", "f"), &items(250)).await;
    assert!(matches!(again, Err(StoreError::KeyInProgress)), "{again:?}");
    let other = submit(&*world.store, &keyed("k", "g"), &items(250)).await;
    assert!(matches!(other, Err(StoreError::KeyReused)), "{other:?}");
    assert_eq!(submit(&*world.store, &first, &items(250)).await.unwrap(), Enqueued::Replayed);
    let again = submit(&*world.store, &keyed("k", "f"), &items(250)).await.unwrap();
    assert_eq!(again, Enqueued::Repeated(first.id));
    assert_eq!(world.live().await, 250);
}

pub(crate) async fn a_large_job_that_was_aborted_frees_its_key(world: &World) {
    let first = keyed("k", "f");
    world.store.open(&first, 250).await.unwrap();
    world.store.append(&first.id, 0, &items(100)).await.unwrap();
    world.advance(Duration::from_secs(10 * 60));
    assert_eq!(world.store.sweep(10).await.unwrap().aborted, [(first.id, 250)]);
    let second = submit(&*world.store, &keyed("k", "f"), &items(250)).await.unwrap();
    assert!(second.is_created());
}

pub(crate) async fn keys_leave_nothing_behind(world: &World) {
    let life = |key: u32| async move {
        world.enqueue(&keyed(&key.to_string(), "f"), 1).await;
        world.finish().await;
        world.advance(DAY + RETENTION);
        world.store.sweep(10).await.unwrap();
        world.entries().await.unwrap().values().sum::<u64>()
    };
    // The first lives also make what each part of the store has once.
    for key in 0..24 {
        life(key).await;
    }
    let before = life(24).await;
    let after = life(25).await;
    // The tombstone of a job remains for a week; where keys expire by the
    // server's own clock, so does the key here, whose clock is held.
    assert!(after <= before + 4, "{:#?}", world.entries().await.unwrap());
}
