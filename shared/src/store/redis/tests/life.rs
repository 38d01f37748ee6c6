//! A job's life, and that it leaves no key behind.

use super::*;
use crate::domain::{Classification, Job};
use crate::domain::{
    ErrorCode, ImageInfo, ItemError, ItemOutcome, JobStatus, Prediction, StageTimings,
};
use crate::store::{Found, Recorded, Retried, submit};

fn answer() -> ItemOutcome {
    ItemOutcome::Succeeded(Box::new(Classification {
        predictions: vec![Prediction {
            label: "Shirts".to_owned(),
            path: vec!["Apparel".to_owned(), "Shirts".to_owned()],
            score: 0.75,
        }],
        levels: Vec::new(),
        decision: None,
        model: model(),
        model_version: "sha256:0".to_owned(),
        provider: "cpu".to_owned(),
        precision: "fp32".to_owned(),
        batch_size: 1,
        cached: false,
        image: ImageInfo { media_type: "image/jpeg".into(), width: 4, height: 3, bytes: 120 },
        timings: StageTimings::default(),
    }))
}

fn error() -> ItemError {
    ItemError::new(ErrorCode::UrlUnreachable, "no answer")
}

async fn found(store: &RedisStore, id: JobId) -> Job {
    match store.find(&tenant(), &id).await.unwrap() {
        Found::Job(job) => *job,
        other @ (Found::Expired | Found::Unknown) => panic!("{other:?}"),
    }
}

/// Keys that belong to the jobs, not to the store as a whole.
fn keys_of_jobs(server: &PrivateServer) -> Vec<String> {
    let mut keys: Vec<String> = server.ask("KEYS *");
    let lasting = ["meta", "lanes", "turns", "drained"].map(|name| format!("{{aisle:0}}:{name}"));
    keys.retain(|key| !lasting.contains(key));
    keys
}

#[tokio::test]
async fn a_job_lives_from_its_submission_to_its_expiry() {
    let server = server_or_skip!();
    let (store, clock) = store_with_clock(&server).await;
    let new = job();
    store.enqueue(&new, &urls(3)).await.unwrap();
    let queued = found(&store, new.id).await;
    assert_eq!((queued.status, queued.created_at), (JobStatus::Queued, clock.now()));

    let mut held = claim(&store, 3).await;
    assert_eq!(held.iter().map(|item| item.attempt).collect::<Vec<_>>(), [1, 1, 1]);
    let processing = found(&store, new.id).await;
    assert_eq!(processing.status, JobStatus::Processing);
    assert!(processing.version > queued.version);

    let given_back = held.pop().unwrap().lease;
    let retried = held.pop().unwrap().lease;
    let first = held.pop().unwrap().lease;
    store.release(&[given_back]).await.unwrap();
    let wait = Duration::from_secs(5);
    assert_eq!(store.retry(&retried, wait, &error()).await.unwrap(), Retried::Delayed);
    assert_eq!(store.retry(&retried, wait, &error()).await.unwrap(), Retried::Delayed);
    let stored = store.complete(&[(first.clone(), answer())]).await.unwrap();
    assert_eq!(stored, [Recorded::Stored { job_ended: None }]);
    assert_eq!(store.complete(&[(first, answer())]).await.unwrap(), [Recorded::Gone]);

    let again = claim(&store, 3).await;
    assert_eq!(again.iter().map(|item| item.attempt).collect::<Vec<_>>(), [1]);
    clock.advance(wait);
    let late = claim(&store, 3).await;
    assert_eq!(late.iter().map(|item| item.attempt).collect::<Vec<_>>(), [2]);
    let outcomes =
        [(again[0].lease.clone(), answer()), (late[0].lease.clone(), ItemOutcome::Failed(error()))];
    let recorded = store.complete(&outcomes).await.unwrap();
    assert_eq!(recorded[1], Recorded::Stored { job_ended: Some(JobStatus::Partial) });

    let ended = found(&store, new.id).await;
    assert_eq!(ended.expires_at, Some(clock.now().plus(RETENTION)));
    let results = store.results(&tenant(), &new.id, 0, 10).await.unwrap();
    let expected = [answer(), ItemOutcome::Failed(error()), answer()];
    assert_eq!(results.into_iter().map(|item| item.outcome).collect::<Vec<_>>(), expected);

    clock.advance(RETENTION);
    assert_eq!(store.sweep(10).await.unwrap().expired, [(new.id, 3)]);
    assert_eq!(store.find(&tenant(), &new.id).await.unwrap(), Found::Expired);
    let stranger = "other".parse().unwrap();
    assert_eq!(store.find(&stranger, &new.id).await.unwrap(), Found::Unknown);
    assert_eq!(keys_of_jobs(&server), [format!("{{aisle:0}}:gone:{}", new.id)]);
    clock.advance(Duration::from_secs(7 * 24 * 60 * 60));
    assert_eq!(store.find(&tenant(), &new.id).await.unwrap(), Found::Unknown);
}

#[tokio::test]
async fn an_unfinished_job_is_deleted_with_every_key_wherever_its_items_are() {
    let server = server_or_skip!();
    let (store, clock) = store_with_clock(&server).await;
    let mut new = job();
    new.max_attempts = 2;
    store.enqueue(&new, &urls(7)).await.unwrap();
    let held = claim(&store, 5).await;
    let lease = |place: usize| held[place].lease.clone();
    store.retry(&lease(1), Duration::ZERO, &error()).await.unwrap();
    let again = claim(&store, 1).await.remove(0).lease;
    assert_eq!(again.item, lease(1).item);
    let dead = store.retry(&again, LEASE, &error()).await.unwrap();
    assert_eq!(dead, Retried::Dead { job_ended: None });
    store.retry(&lease(4), LEASE, &error()).await.unwrap();
    clock.advance(LEASE);
    assert_eq!(store.reap(1).await.unwrap().requeued, [lease(0).item]);
    // One is solo by now, one dead, one done, one running, one delayed, two are ready.
    store.complete(&[(lease(2), answer())]).await.unwrap();
    assert_eq!(store.dead_letters(10).await.unwrap().len(), 1);

    assert_eq!(store.delete(&tenant(), &new.id).await.unwrap().items, 7);
    assert_eq!(store.complete(&[(lease(3), answer())]).await.unwrap(), [Recorded::Gone]);
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.live, stats.running, stats.dead, stats.lanes.len()), (0, 0, 0, 0));
    let mut left = keys_of_jobs(&server);
    left.retain(|key| !key.starts_with("{aisle:0}:tags:"));
    assert_eq!(left, [format!("{{aisle:0}}:gone:{}", new.id)]);
}

#[tokio::test]
async fn the_largest_job_is_submitted_canceled_and_removed() {
    let server = server_or_skip!();
    let store = store(&server).await;
    let new = job();
    submit(&store, &new, &urls(10_000)).await.unwrap();
    let held = claim(&store, 10).await;
    let places: Vec<u32> = held.iter().map(|item| item.lease.item.index).collect();
    assert_eq!(places, (0..10).collect::<Vec<_>>());

    let canceled = store.cancel(&tenant(), &new.id).await.unwrap();
    let crate::store::Canceled::Requested { items } = canceled else { panic!("{canceled:?}") };
    assert_eq!(items, (10..10_000).collect::<Vec<_>>());
    let leases: Vec<_> = held.into_iter().map(|item| item.lease).collect();
    let extended = store.extend(&leases, LEASE).await.unwrap();
    assert_eq!((extended.lost.len(), extended.canceled.len()), (0, 10));

    let outcomes: Vec<_> = leases.into_iter().map(|lease| (lease, ItemOutcome::Canceled)).collect();
    let recorded = store.complete(&outcomes).await.unwrap();
    assert_eq!(recorded[9], Recorded::Stored { job_ended: Some(JobStatus::Canceled) });
    let page = store.results(&tenant(), &new.id, 0, u32::MAX).await.unwrap();
    assert_eq!(page.len(), 10_000);
    store.delete(&tenant(), &new.id).await.unwrap();
    assert_eq!(store.stats().await.unwrap().live, 0);
}
