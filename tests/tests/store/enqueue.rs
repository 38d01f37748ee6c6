//! Submitting jobs that fit into one step.

use std::sync::Arc;
use std::time::Duration;

use aisle_shared::domain::{
    Callback, ItemCounts, ItemSource, Job, JobStatus, NewItem, NewJob, Priority,
};
use aisle_shared::store::{Enqueued, MAX_ITEMS_PER_CALL, StoreError, submit};
use aisle_tests::fixtures::{items, job, job_in};
use serde_json::json;

use crate::world::{World, is_invalid, url_item};

pub(crate) async fn a_job_is_found_as_it_was_submitted(world: &World) {
    let mut new = job_in(Priority::Bulk);
    new.options.top_k = 7;
    new.callback = Some(Callback {
        url: "https://shop.test/hook?a=1".to_owned(),
        origin: "https://shop.test".to_owned(),
    });
    world.enqueue(&new, 3).await;
    let found = world.job(&new).await;
    let expected = Job {
        id: new.id,
        tenant: new.tenant.clone(),
        model: new.model.clone(),
        priority: Priority::Bulk,
        options: new.options.clone(),
        metadata: new.metadata.clone(),
        status: JobStatus::Queued,
        items: ItemCounts { total: 3, ..ItemCounts::default() },
        cached: 0,
        created_at: world.clock.now(),
        started_at: None,
        completed_at: None,
        expires_at: None,
        callback: new.callback.clone(),
        cancel_requested: false,
        version: found.version,
    };
    assert_eq!(found, expected);
}

pub(crate) async fn a_job_is_found_as_its_submission_was_answered(world: &World) {
    let callback = Callback {
        url: "https://shop.test/hook".to_owned(),
        origin: "https://shop.test".to_owned(),
    };
    for count in [1, 200, 450] {
        let metadata = json!({"b": 1, "a": [31.245_270_191_439_438, null]});
        let metadata = metadata.as_object().unwrap().clone();
        let new = NewJob { callback: Some(callback.clone()), metadata, ..job_in(Priority::Bulk) };
        let enqueued = submit(&*world.store, &new, &items(count)).await.unwrap();
        let Enqueued::Created { at } = enqueued else { panic!("{enqueued:?}") };
        assert_eq!(at, world.clock.now());
        assert_eq!(world.job(&new).await, new.queued(count, at), "{count}");
        world.advance(Duration::from_millis(1_234));
    }
}

pub(crate) async fn the_same_id_again_replays_and_writes_nothing(world: &World) {
    let new = job();
    world.enqueue(&new, 2).await;
    let before = world.job(&new).await;
    let again = world.store.enqueue(&new, &items(5)).await.unwrap();
    assert_eq!(again, Enqueued::Replayed);
    assert_eq!(world.job(&new).await, before);
    assert_eq!(world.live().await, 2);
    assert_eq!(world.claim_all().await.len(), 2);
}

pub(crate) async fn the_same_id_replays_even_when_the_job_has_ended(world: &World) {
    let new = job();
    world.enqueue(&new, 1).await;
    world.finish().await;
    assert_eq!(world.store.enqueue(&new, &items(1)).await.unwrap(), Enqueued::Replayed);
    assert_eq!(world.job(&new).await.status, JobStatus::Succeeded);
    assert_eq!(world.live().await, 0);
}

pub(crate) async fn the_same_id_from_eight_at_once_makes_one_job(world: &World) {
    let new = Arc::new(job());
    let mut submitters = Vec::new();
    for _ in 0..8 {
        let (store, new) = (world.another_handle().await.unwrap(), Arc::clone(&new));
        submitters.push(tokio::spawn(async move { store.enqueue(&new, &items(3)).await.unwrap() }));
    }
    let mut created = 0;
    for submitter in submitters {
        created += usize::from(submitter.await.unwrap().is_created());
    }
    assert_eq!(created, 1);
    assert_eq!(world.live().await, 3);
    assert_eq!(world.claim_all().await.len(), 3);
}

pub(crate) async fn over_the_limit_is_full_and_nothing_is_written(world: &World) {
    let store = world.handle_limited_to(5).await.unwrap();
    assert!(store.enqueue(&job(), &items(3)).await.unwrap().is_created());
    let refused = job();
    let full = store.enqueue(&refused, &items(3)).await;
    assert!(matches!(full, Err(StoreError::Full { live: 3, limit: 5, .. })), "{full:?}");
    assert_eq!(store.existing(&[refused.id]).await.unwrap(), []);
    assert_eq!(store.stats().await.unwrap().live, 3);
    assert_eq!(world.claim_all().await.len(), 3);
}

pub(crate) async fn a_full_store_takes_jobs_again_once_items_have_ended(world: &World) {
    let store = world.handle_limited_to(2).await.unwrap();
    store.enqueue(&job(), &items(2)).await.unwrap();
    let waiting = job();
    assert!(matches!(store.enqueue(&waiting, &items(1)).await, Err(StoreError::Full { .. })));
    let held = world.claim_one().await;
    assert!(
        matches!(store.enqueue(&waiting, &items(1)).await, Err(StoreError::Full { .. })),
        "a running item is live too"
    );
    world.succeed(&held).await;
    assert!(store.enqueue(&waiting, &items(1)).await.unwrap().is_created());
}

pub(crate) async fn a_replay_is_recognised_even_when_the_store_is_full(world: &World) {
    let store = world.handle_limited_to(2).await.unwrap();
    let new = job();
    store.enqueue(&new, &items(2)).await.unwrap();
    assert_eq!(store.enqueue(&new, &items(2)).await.unwrap(), Enqueued::Replayed);
}

pub(crate) async fn metadata_comes_back_as_it_went_in(world: &World) {
    let mut new = job();
    let metadata = json!({
        "": "an empty key",
        "nul\u{0}inside": "a\u{0}b",
        "emoji 👟": "Größe 42½ 日本語 \u{202e}",
        "quotes": "\"'\\`${}[[ ]] -- ; DROP TABLE jobs",
        "numbers": [0, -1, 1.5, 1e300, 0.1, u64::MAX, i64::MIN, 9_007_199_254_740_993_u64],
        "numbers that are hard to read": [31.245_270_191_439_438, 121.487_919_511_619_45],
        "empty": { "list": [], "map": {}, "null": null, "no": false },
        "deep": [[[[[[[[[["here"]]]]]]]]]],
    });
    new.metadata = metadata.as_object().unwrap().clone();
    world.enqueue(&new, 1).await;
    assert_eq!(world.job(&new).await.metadata, new.metadata);
}

pub(crate) async fn sources_reach_the_worker_byte_for_byte(world: &World) {
    let new = job();
    let strange = "https://shop.test/\u{0}/ä?q=\"'\r\n👟\u{feff}".to_owned();
    let sources = [ItemSource::Upload, ItemSource::Url(strange), ItemSource::Url(String::new())];
    let new_items = sources.clone().map(|source| NewItem { source, bytes: 0, content: None });
    world.store.enqueue(&new, &new_items).await.unwrap();
    let claimed: Vec<_> = world.claim_all().await.into_iter().map(|held| held.source).collect();
    assert_eq!(claimed, sources);
}

pub(crate) async fn two_hundred_items_go_in_one_step(world: &World) {
    let new = job();
    world.enqueue(&new, 200).await;
    assert_eq!(MAX_ITEMS_PER_CALL, 200);
    assert_eq!(world.job(&new).await.items.total, 200);
    assert_eq!(world.claim_all().await.len(), 200);
}

pub(crate) async fn no_item_or_too_many_are_invalid(world: &World) {
    let new = job();
    assert!(is_invalid(&world.store.enqueue(&new, &[]).await));
    let many = vec![url_item("https://shop.test/"); MAX_ITEMS_PER_CALL + 1];
    assert!(is_invalid(&world.store.enqueue(&new, &many).await));
    assert_eq!(world.store.existing(&[new.id]).await.unwrap(), []);
    assert_eq!(world.live().await, 0);
}
