//! A server without memory takes nothing new, and still lets work end.

use super::*;
use crate::domain::{ErrorCode, ItemError, ItemOutcome, JobStatus};
use crate::store::{Recorded, StoreError};

#[tokio::test]
async fn a_full_server_refuses_new_jobs_and_still_ends_those_it_has() {
    let server = server_or_skip!();
    let store = store(&server).await;
    let known = job();
    store.enqueue(&known, &urls(2)).await.unwrap();
    let _: String = server.ask("CONFIG SET maxmemory 1");

    let error = store.enqueue(&job(), &urls(1)).await.unwrap_err();
    let StoreError::Unavailable { detail, .. } = &error else { panic!("{error:?}") };
    assert!(detail.contains("maxmemory"), "{detail}");
    assert!(store.check().await.is_err());

    let outcomes: Vec<_> = claim(&store, 2)
        .await
        .into_iter()
        .map(|item| {
            let error = ItemError::new(ErrorCode::Undecodable, "no picture");
            (item.lease, ItemOutcome::Failed(error))
        })
        .collect();
    let recorded = store.complete(&outcomes).await.unwrap();
    assert_eq!(recorded.last(), Some(&Recorded::Stored { job_ended: Some(JobStatus::Failed) }));
    assert_eq!(store.stats().await.unwrap().live, 0);
    store.delete(&tenant(), &known.id).await.unwrap();

    let _: String = server.ask("CONFIG SET maxmemory 0");
    store.enqueue(&job(), &urls(1)).await.unwrap();
}

#[tokio::test]
async fn a_lease_that_only_a_clock_set_back_explains_is_taken_back() {
    let server = server_or_skip!();
    let (store, clock) = store_with_clock(&server).await;
    store.enqueue(&job(), &urls(2)).await.unwrap();
    let held = claim(&store, 2).await;
    let stuck = held[0].lease.item;
    let in_a_day = clock.now().0 + 24 * 60 * 60 * 1000;
    let _: u32 = server.ask(&format!("ZADD {{aisle:0}}:leases {in_a_day} {stuck}"));
    assert_eq!(store.reap(10).await.unwrap().requeued, [stuck]);
}

#[tokio::test]
async fn fairness_keeps_nothing_of_tenants_who_no_longer_wait() {
    let server = server_or_skip!();
    let store = store(&server).await;
    for tenant in ["a", "b", "c"] {
        let job = NewJob { tenant: tenant.parse().unwrap(), ..job() };
        store.enqueue(&job, &urls(4)).await.unwrap();
    }
    assert_eq!(server.ask::<u32>("ZCARD {aisle:0}:tags:mobilenet:1"), 3);
    assert_eq!(claim(&store, 12).await.len(), 12);
    assert_eq!(server.ask::<u32>("ZCARD {aisle:0}:tags:mobilenet:1"), 0);
}
