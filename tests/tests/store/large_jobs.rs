//! Jobs that are opened, filled in steps, and sealed.

use std::time::Duration;

use aisle_shared::domain::{ItemSource, JobStatus};
use aisle_shared::store::{Enqueued, Found, JobFilter, StoreError, submit};
use aisle_tests::fixtures::{items, job};

use crate::world::{World, indexes, is_invalid, is_not_found, url_item};

/// How long an open job waits for its seal.
const SEAL_WITHIN: Duration = Duration::from_secs(600);

pub(crate) async fn an_open_job_is_seen_by_nobody_until_it_is_sealed(world: &World) {
    let new = job();
    let store = &world.store;
    assert!(store.open(&new, 250).await.unwrap().is_created());
    let all = items(250);
    store.append(&new.id, 0, &all[..200]).await.unwrap();
    store.append(&new.id, 200, &all[200..]).await.unwrap();
    assert_eq!(world.find(&new.tenant, &new.id).await, Found::Unknown);
    let page = store.list(&new.tenant, &JobFilter::default(), None, 10).await.unwrap();
    assert_eq!(page.jobs, []);
    assert_eq!(world.claim(10).await, []);
    assert_eq!(store.existing(&[new.id]).await.unwrap(), [new.id]);
    store.seal(&new.id).await.unwrap();
    let found = world.job(&new).await;
    assert_eq!((found.status, found.items.total), (JobStatus::Queued, 250));
    assert_eq!(indexes(&world.claim_all().await), (0..250).collect::<Vec<_>>());
}

pub(crate) async fn appending_the_same_place_again_changes_nothing(world: &World) {
    let new = job();
    let store = &world.store;
    store.open(&new, 3).await.unwrap();
    store.append(&new.id, 0, &[url_item("first"), url_item("second")]).await.unwrap();
    store.append(&new.id, 1, &[url_item("other"), url_item("third")]).await.unwrap();
    store.seal(&new.id).await.unwrap();
    let claimed: Vec<_> = world.claim_all().await.into_iter().map(|held| held.source).collect();
    assert_eq!(claimed, ["first", "second", "third"].map(|url| ItemSource::Url(url.to_owned())));
    assert_eq!(world.live().await, 3);
}

pub(crate) async fn appending_past_the_total_is_invalid(world: &World) {
    let new = job();
    world.store.open(&new, 3).await.unwrap();
    assert!(is_invalid(&world.store.append(&new.id, 2, &items(2)).await));
    assert!(is_invalid(&world.store.append(&new.id, u32::MAX, &items(1)).await));
    assert!(is_invalid(&world.store.append(&new.id, 0, &items(201)).await));
}

pub(crate) async fn only_an_open_job_can_be_appended_to(world: &World) {
    let unknown = job();
    assert!(is_not_found(&world.store.append(&unknown.id, 0, &items(1)).await));
    let sealed = job();
    world.enqueue(&sealed, 1).await;
    assert!(is_not_found(&world.store.append(&sealed.id, 0, &items(1)).await));
}

pub(crate) async fn a_job_with_items_missing_cannot_be_sealed(world: &World) {
    let new = job();
    world.store.open(&new, 3).await.unwrap();
    world.store.append(&new.id, 0, &items(1)).await.unwrap();
    world.store.append(&new.id, 2, &items(1)).await.unwrap();
    assert!(is_invalid(&world.store.seal(&new.id).await));
    assert_eq!(world.claim(10).await, []);
    world.store.append(&new.id, 1, &items(1)).await.unwrap();
    world.store.seal(&new.id).await.unwrap();
    assert_eq!(world.claim_all().await.len(), 3);
}

pub(crate) async fn sealing_again_is_harmless(world: &World) {
    let new = job();
    world.store.open(&new, 2).await.unwrap();
    world.store.append(&new.id, 0, &items(2)).await.unwrap();
    world.store.seal(&new.id).await.unwrap();
    world.finish().await;
    world.store.seal(&new.id).await.unwrap();
    assert_eq!(world.job(&new).await.status, JobStatus::Succeeded);
    assert_eq!(world.claim(10).await, []);
    assert!(is_not_found(&world.store.seal(&job().id).await));
}

pub(crate) async fn opening_again_replays(world: &World) {
    let new = job();
    world.store.open(&new, 2).await.unwrap();
    assert_eq!(world.store.open(&new, 2).await.unwrap(), Enqueued::Replayed);
    world.store.append(&new.id, 0, &items(2)).await.unwrap();
    world.store.seal(&new.id).await.unwrap();
    assert_eq!(world.store.open(&new, 2).await.unwrap(), Enqueued::Replayed);
    assert_eq!(world.live().await, 2);
    assert_eq!(world.job(&new).await.items.total, 2);
}

pub(crate) async fn submitting_a_large_job_again_at_any_point_completes_it_once(world: &World) {
    let new = job();
    let all = items(450);
    world.store.open(&new, 450).await.unwrap();
    world.store.append(&new.id, 0, &all[..200]).await.unwrap();
    // The submitter saw no answer, and starts over.
    assert_eq!(submit(&*world.store, &new, &all).await.unwrap(), Enqueued::Replayed);
    assert_eq!(world.live().await, 450);
    assert_eq!(indexes(&world.claim_all().await), (0..450).collect::<Vec<_>>());
}

pub(crate) async fn a_large_job_submitted_again_after_it_was_sealed_replays(world: &World) {
    let new = job();
    let all = items(450);
    assert!(submit(&*world.store, &new, &all).await.unwrap().is_created());
    assert_eq!(submit(&*world.store, &new, &all).await.unwrap(), Enqueued::Replayed);
    assert_eq!(world.claim_all().await.len(), 450);
}

pub(crate) async fn an_open_job_counts_against_the_limit(world: &World) {
    let store = world.handle_limited_to(300).await.unwrap();
    let refused = job();
    assert!(matches!(store.open(&refused, 301).await, Err(StoreError::Full { .. })));
    assert_eq!(store.existing(&[refused.id]).await.unwrap(), []);
    store.open(&job(), 300).await.unwrap();
    assert!(matches!(store.enqueue(&job(), &items(1)).await, Err(StoreError::Full { .. })));
}

pub(crate) async fn a_job_never_sealed_is_aborted_after_ten_minutes(world: &World) {
    let new = job();
    world.store.open(&new, 250).await.unwrap();
    world.store.append(&new.id, 0, &items(200)).await.unwrap();
    world.advance(SEAL_WITHIN - Duration::from_millis(1));
    assert_eq!(world.store.sweep(10).await.unwrap().aborted, []);
    world.advance(Duration::from_millis(1));
    let swept = world.store.sweep(10).await.unwrap();
    assert_eq!((swept.aborted, swept.expired), (vec![(new.id, 250)], vec![]));
    assert_eq!(world.store.existing(&[new.id]).await.unwrap(), []);
    assert!(is_not_found(&world.store.append(&new.id, 200, &items(50)).await));
    assert!(is_not_found(&world.store.seal(&new.id).await));
    assert_eq!(world.live().await, 0);
    assert_eq!(world.claim(10).await, []);
}

pub(crate) async fn a_sealed_job_is_not_aborted(world: &World) {
    let new = job();
    world.store.open(&new, 2).await.unwrap();
    world.store.append(&new.id, 0, &items(2)).await.unwrap();
    world.store.seal(&new.id).await.unwrap();
    world.advance(2 * SEAL_WITHIN);
    assert_eq!(world.store.sweep(10).await.unwrap().aborted, []);
    assert_eq!(world.claim_all().await.len(), 2);
}
