//! A server without memory takes nothing new, and still lets work end.

use super::*;
use crate::blob::{BlobError, BlobStore};
use crate::domain::{ErrorCode, ItemError, ItemOutcome, ItemRef, JobStatus};
use crate::store::{Limits, Recorded, Resource, StoreError};

#[tokio::test]
async fn a_full_server_refuses_new_jobs_and_still_ends_those_it_has() {
    let server = server_or_skip!();
    let store = store(&server).await;
    let known = job();
    store.enqueue(&known, &urls(2)).await.unwrap();
    let _: String = server.ask("CONFIG SET maxmemory 1");

    let error = store.enqueue(&job(), &urls(1)).await.unwrap_err();
    let StoreError::Exhausted { detail, .. } = &error else { panic!("{error:?}") };
    assert!(detail.contains("maxmemory"), "{detail}");
    assert!(store.check().await.is_err());
    let put = store.blobs().put(ItemRef { job: JobId::generate(), index: 0 }, "x".into()).await;
    assert!(matches!(put, Err(BlobError::Full(_))), "{put:?}");

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
async fn a_server_past_seven_tenths_of_its_memory_admits_nothing_and_goes_on() {
    let server = server_or_skip!();
    let store = store(&server).await;
    store.enqueue(&job(), &urls(2)).await.unwrap();
    store.admits(&tenant()).await.unwrap();
    let used = used_memory(&server);
    let _: String = server.ask(&format!("CONFIG SET maxmemory {}", used * 5 / 4));
    let refused = store.admits(&tenant()).await;
    let Err(StoreError::Exhausted { resource, detail, .. }) = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!(*resource, Resource::Memory);
    assert!(detail.contains("maxmemory"), "{detail}");
    assert_eq!(claim(&store, 2).await.len(), 2);
    let _: String = server.ask(&format!("CONFIG SET maxmemory {}", used * 2));
    store.admits(&tenant()).await.unwrap();
}

#[tokio::test]
async fn a_server_that_hides_its_memory_is_taken_to_have_some() {
    let server = server_or_skip!();
    let _: String = server.ask("CONFIG SET maxmemory 100000000");
    // At connecting, the version is asked for; it is the scripts that may not.
    let store = store(&server).await;
    let _: String = server.ask("ACL SETUSER default -info");
    store.admits(&tenant()).await.unwrap();
}

fn used_memory(server: &PrivateServer) -> u64 {
    let info: String = server.ask("INFO memory");
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
    used.unwrap().trim().parse().unwrap()
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
