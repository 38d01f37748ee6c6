//! Rates, caps and switches.

use std::time::Duration;

use aisle_shared::domain::{NewItem, NewJob};
use aisle_shared::store::{Cap, Enqueued, Rate, Store, StoreError, StoreLimits, Switch, Switches};
use aisle_tests::fixtures::{items, job, job_of, model, tenant};

use crate::world::{ALL, World};

/// One every twenty seconds, three at once.
const RATE: Rate = Rate { quota: 3, window: Duration::from_secs(60) };

const NONE: StoreLimits =
    StoreLimits { items: u64::MAX, tenant_items: u64::MAX, upload_bytes: u64::MAX };

async fn is_allowed(store: &dyn Store, bucket: &str) -> bool {
    store.take(bucket, 1, RATE).await.unwrap().allowed
}

/// Uploads of so many bytes each.
fn uploads(count: usize, bytes: u64) -> Vec<NewItem> {
    vec![NewItem::stored(bytes); count]
}

/// What is full, as the store says it.
fn cap<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> (Cap, u64, u64) {
    match answer {
        Err(StoreError::Full { cap, live, limit, .. }) => (cap, live, limit),
        other => panic!("not full: {other:?}"),
    }
}

pub(crate) async fn a_bucket_gives_its_quota_at_once_and_fills_evenly(world: &World) {
    let store = &*world.store;
    for left in [2, 1, 0] {
        let taken = store.take("b", 1, RATE).await.unwrap();
        assert_eq!((taken.allowed, taken.remaining), (true, left));
    }
    let refused = store.take("b", 1, RATE).await.unwrap();
    assert_eq!((refused.allowed, refused.remaining), (false, 0));
    assert_eq!(refused.retry_after, Duration::from_secs(20));
    assert_eq!(refused.reset, Duration::from_secs(60));
    world.advance(Duration::from_millis(19_999));
    assert!(!is_allowed(store, "b").await);
    world.advance(Duration::from_millis(1));
    assert!(is_allowed(store, "b").await);
    assert!(!is_allowed(store, "b").await);
    world.advance(Duration::from_secs(3_600));
    assert_eq!(store.take("b", 3, RATE).await.unwrap().remaining, 0);
    assert!(!store.take("c", 4, RATE).await.unwrap().allowed);
    assert_eq!(store.take("c", 2, RATE).await.unwrap().remaining, 1);
}

pub(crate) async fn a_bucket_is_shared_by_every_handle(world: &World) {
    let other = world.another_handle().await.unwrap();
    assert!(is_allowed(&*world.store, "b").await);
    assert!(is_allowed(&*other, "b").await);
    assert!(is_allowed(&*world.store, "b").await);
    assert!(!is_allowed(&*other, "b").await);
}

pub(crate) async fn buckets_do_not_touch_each_other(world: &World) {
    for bucket in ["a", "b", "a:b", "a b"] {
        let taken = world.store.take(bucket, 3, RATE).await.unwrap();
        assert!(taken.allowed, "{bucket}");
    }
}

pub(crate) async fn forty_at_once_take_no_more_than_the_quota(world: &World) {
    let rate = Rate::per_minute(10);
    let mut takers = Vec::new();
    for _ in 0..4 {
        let store = world.another_handle().await.unwrap();
        takers.push(tokio::spawn(async move {
            let takes = (0..10).map(|_| store.take("b", 1, rate));
            let taken = futures::future::try_join_all(takes).await.unwrap();
            taken.into_iter().filter(|taken| taken.allowed).count()
        }));
    }
    let mut allowed = 0;
    for taker in takers {
        allowed += taker.await.unwrap();
    }
    assert_eq!(allowed, 10);
}

pub(crate) async fn what_is_full_of_one_tenant_is_not_of_another(world: &World) {
    let limits = StoreLimits { items: 9, tenant_items: 4, ..NONE };
    let store = world.handle_within(limits).await.unwrap();
    store.enqueue(&job_of("a"), &items(3)).await.unwrap();
    let refused = store.enqueue(&job_of("a"), &items(2)).await;
    assert_eq!(cap(refused), (Cap::TenantItems, 3, 4));
    assert_eq!(cap(store.open(&job_of("a"), 2).await), (Cap::TenantItems, 3, 4));
    store.enqueue(&job_of("b"), &items(4)).await.unwrap();
    let refused = store.enqueue(&job_of("c"), &items(3)).await;
    assert_eq!(cap(refused), (Cap::Items, 7, 9));
    // Whatever way an item leaves, its tenant has room again.
    world.finish().await;
    store.open(&job_of("a"), 4).await.unwrap();
    world.advance(Duration::from_secs(10 * 60));
    store.sweep(10).await.unwrap();
    let canceled = job_of("a");
    store.enqueue(&canceled, &items(4)).await.unwrap();
    store.cancel(&canceled.tenant, &canceled.id).await.unwrap();
    let deleted = job_of("a");
    store.enqueue(&deleted, &items(4)).await.unwrap();
    store.delete(&deleted.tenant, &deleted.id).await.unwrap();
    store.enqueue(&job_of("a"), &items(4)).await.unwrap();
    assert_eq!(cap(store.enqueue(&job_of("a"), &items(1)).await), (Cap::TenantItems, 4, 4));
}

pub(crate) async fn waiting_bytes_are_counted_until_their_items_end(world: &World) {
    let store = world.handle_within(StoreLimits { upload_bytes: 100, ..NONE }).await.unwrap();
    store.enqueue(&job(), &uploads(3, 30)).await.unwrap();
    let refused = store.enqueue(&job(), &uploads(1, 11)).await;
    assert_eq!(cap(refused), (Cap::UploadBytes, 90, 100));
    let held = world.claim_one().await;
    store.enqueue(&job(), &items(50)).await.unwrap();
    assert_eq!(cap(store.enqueue(&job(), &uploads(1, 11)).await), (Cap::UploadBytes, 90, 100));
    world.succeed(&held).await;
    assert!(store.enqueue(&job(), &uploads(1, 40)).await.unwrap().is_created());
    world.finish().await;
    assert!(store.enqueue(&job(), &uploads(1, 100)).await.unwrap().is_created());
}

pub(crate) async fn bytes_of_large_jobs_are_counted_too(world: &World) {
    let store = world.handle_within(StoreLimits { upload_bytes: 100, ..NONE }).await.unwrap();
    let large = job();
    store.open(&large, 3).await.unwrap();
    for _ in 0..2 {
        store.append(&large.id, 0, &uploads(2, 40)).await.unwrap();
    }
    assert_eq!(cap(store.enqueue(&job(), &uploads(1, 21)).await), (Cap::UploadBytes, 80, 100));
    store.append(&large.id, 2, &items(1)).await.unwrap();
    store.seal(&large.id).await.unwrap();
    world.finish().await;
    assert!(store.enqueue(&job(), &uploads(1, 100)).await.unwrap().is_created());
}

pub(crate) async fn bytes_leave_with_a_job_that_is_deleted_aborted_or_canceled(world: &World) {
    let store = world.handle_within(StoreLimits { upload_bytes: 10, ..NONE }).await.unwrap();
    let fill = |new: NewJob| {
        let store = &store;
        async move { store.enqueue(&new, &uploads(1, 10)).await.unwrap() }
    };
    let (deleted, canceled, aborted) = (job(), job(), job());
    fill(deleted.clone()).await;
    store.delete(&deleted.tenant, &deleted.id).await.unwrap();
    fill(canceled.clone()).await;
    store.cancel(&canceled.tenant, &canceled.id).await.unwrap();
    store.open(&aborted, 2).await.unwrap();
    store.append(&aborted.id, 0, &uploads(1, 10)).await.unwrap();
    assert_eq!(cap(store.enqueue(&job(), &uploads(1, 1)).await), (Cap::UploadBytes, 10, 10));
    world.advance(Duration::from_secs(10 * 60));
    store.sweep(10).await.unwrap();
    fill(job()).await;
}

pub(crate) async fn a_full_store_says_when_there_will_be_room(world: &World) {
    let store = world.handle_limited_to(100).await.unwrap();
    let after = |answer: Result<Enqueued, StoreError>| match answer {
        Err(StoreError::Full { retry_after, .. }) => retry_after.as_secs_f64(),
        other => panic!("not full: {other:?}"),
    };
    store.enqueue(&job(), &items(100)).await.unwrap();
    // Nothing has ended so far.
    assert!((after(store.enqueue(&job(), &items(1)).await) - 60.0).abs() < 0.01);
    // One a second for half a minute, then the queue is full again.
    for _ in 0..30 {
        let held = world.claim_one().await;
        world.succeed(&held).await;
        world.advance(Duration::from_secs(1));
    }
    store.enqueue(&job(), &items(30)).await.unwrap();
    let ten = after(store.enqueue(&job(), &items(10)).await);
    // The slot in which the first ended began at most ten seconds before.
    assert!((9.9..=13.4).contains(&ten), "{ten}");
    assert!((after(store.enqueue(&job(), &items(90)).await) - 60.0).abs() < 0.01);
    world.advance(Duration::from_secs(120));
    assert!((after(store.enqueue(&job(), &items(1)).await) - 60.0).abs() < 0.01);
}

pub(crate) async fn a_closed_intake_takes_nothing_and_ends_what_it_has(world: &World) {
    let open = job();
    world.enqueue(&job(), 2).await;
    world.store.open(&open, 1).await.unwrap();
    for _ in 0..2 {
        world.store.set_switch(Switch::IntakeClosed, true).await.unwrap();
    }
    for refused in
        [world.store.enqueue(&job(), &items(1)).await, world.store.open(&job(), 300).await]
    {
        assert!(matches!(refused, Err(StoreError::Closed)), "{refused:?}");
    }
    // A large job that was let in may be completed.
    world.store.append(&open.id, 0, &items(1)).await.unwrap();
    world.store.seal(&open.id).await.unwrap();
    world.finish().await;
    assert_eq!(world.live().await, 0);
    world.store.set_switch(Switch::IntakeClosed, false).await.unwrap();
    world.enqueue(&job(), 1).await;
}

pub(crate) async fn a_paused_queue_hands_nothing_out_until_it_is_resumed(world: &World) {
    world.enqueue(&job(), 3).await;
    let held = world.claim_one().await;
    world.store.set_switch(Switch::Paused, true).await.unwrap();
    assert_eq!(world.claim(ALL).await, []);
    world.enqueue(&job(), 1).await;
    world.succeed(&held).await;
    let shoes = model("shoes");
    let wait = world.store.wait_for_work(&shoes, Duration::from_secs(60));
    let resume = async {
        // Resumed while the other waits, by another process.
        let other = world.another_handle().await.unwrap();
        other.set_switch(Switch::Paused, false).await.unwrap();
    };
    let begun = std::time::Instant::now();
    tokio::join!(wait, resume);
    assert!(begun.elapsed() < Duration::from_secs(30), "nobody was woken");
    assert_eq!(world.claim_all().await.len(), 3);
}

pub(crate) async fn switches_are_seen_by_every_handle(world: &World) {
    let other = world.another_handle().await.unwrap();
    assert_eq!(other.switches().await.unwrap(), Switches::default());
    world.store.set_switch(Switch::Paused, true).await.unwrap();
    let paused = Switches { paused: true, intake_closed: false };
    assert_eq!(other.switches().await.unwrap(), paused);
    other.set_switch(Switch::IntakeClosed, true).await.unwrap();
    other.set_switch(Switch::Paused, false).await.unwrap();
    other.set_switch(Switch::Paused, false).await.unwrap();
    let closed = Switches { paused: false, intake_closed: true };
    assert_eq!(world.store.switches().await.unwrap(), closed);
}

pub(crate) async fn what_would_be_refused_is_told_before(world: &World) {
    let limits = StoreLimits { items: 4, tenant_items: 3, upload_bytes: 50 };
    let store = world.handle_within(limits).await.unwrap();
    let (a, b) = (tenant("a"), tenant("b"));
    store.admits(&a).await.unwrap();
    store.enqueue(&job_of("a"), &uploads(2, 25)).await.unwrap();
    assert_eq!(cap(store.admits(&b).await), (Cap::UploadBytes, 50, 50));
    world.finish().await;
    store.enqueue(&job_of("a"), &items(3)).await.unwrap();
    assert_eq!(cap(store.admits(&a).await), (Cap::TenantItems, 3, 3));
    store.admits(&b).await.unwrap();
    store.enqueue(&job_of("b"), &items(1)).await.unwrap();
    assert_eq!(cap(store.admits(&b).await), (Cap::Items, 4, 4));
    store.set_switch(Switch::IntakeClosed, true).await.unwrap();
    let closed = store.admits(&b).await;
    assert!(matches!(closed, Err(StoreError::Closed)), "{closed:?}");
}
