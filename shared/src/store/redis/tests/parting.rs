//! Stores of several shards, and stores that take another number of them.

use super::*;
use crate::domain::{Endpoint, EndpointId, Event, Idempotency, SealedSecret};
use crate::domain::{EndpointSecret, ItemOutcome};
use crate::store::{DeliveryClaim, Enqueued, Found, Keys, Limits, StoreError, Webhooks};

async fn parted(server: &PrivateServer, shards: u16) -> Result<RedisStore, StoreError> {
    let shards = NonZeroU16::new(shards).unwrap();
    RedisStore::connect(RedisOptions { shards, ..options(server, Clock::Store) }).await
}

fn endpoint() -> Endpoint {
    Endpoint {
        id: EndpointId::generate(),
        tenant: tenant(),
        url: Some("https://shop.test/hook".to_owned()),
        events: Vec::new(),
        description: String::new(),
        secrets: vec![EndpointSecret { sealed: SealedSecret("s1".to_owned()), expires_at: None }],
        disabled: None,
        created_at: Timestamp(1_750_000_000_000),
        version: 1,
    }
}

fn wish() -> DeliveryClaim {
    DeliveryClaim { max: 100, per_lane: 100, per_tenant: 100, lease: LEASE }
}

/// Jobs of one item each, so many that every shard has one.
async fn fill(store: &RedisStore) -> Vec<NewJob> {
    let jobs: Vec<NewJob> = (0..40).map(|_| job()).collect();
    for job in &jobs {
        store.enqueue(job, &urls(1)).await.unwrap();
    }
    jobs
}

async fn end_all(store: &RedisStore) {
    loop {
        let held: Vec<_> = claim(store, 100).await;
        if held.is_empty() {
            return;
        }
        let ended = held.into_iter().map(|item| (item.lease, ItemOutcome::Canceled));
        store.complete(&ended.collect::<Vec<_>>()).await.unwrap();
    }
}

#[tokio::test]
async fn no_key_lies_outside_a_shard_and_every_shard_has_jobs() {
    let server = server_or_skip!();
    let store = parted(&server, 4).await.unwrap();
    store.put_endpoint(&endpoint()).await.unwrap();
    fill(&store).await;
    end_all(&store).await;
    let keys: Vec<String> = server.ask("KEYS *");
    for shard in 0..4 {
        let prefix = format!("{{aisle:{shard}}}:job:");
        assert!(keys.iter().any(|key| key.starts_with(&prefix)), "nothing in shard {shard}");
    }
    assert!(keys.iter().all(|key| key.starts_with("{aisle:")), "{keys:?}");
    let deliveries = keys.iter().filter(|key| key.contains(":out:"));
    assert!(deliveries.clone().all(|key| key.starts_with("{aisle:0}:")), "{deliveries:?}");
}

#[tokio::test]
async fn a_store_with_jobs_keeps_its_number_of_shards() {
    let server = server_or_skip!();
    let store = parted(&server, 4).await.unwrap();
    let jobs = fill(&store).await;
    for other in [1, 2, 8] {
        let error = parted(&server, other).await.unwrap_err();
        assert!(matches!(&error, StoreError::Config(text) if text.contains("4 shards")), "{error}");
        // Those that run go on.
        store.check().await.unwrap();
        store.enqueue(&job(), &urls(1)).await.unwrap();
    }
    end_all(&store).await;
    let error = parted(&server, 2).await.unwrap_err();
    assert!(matches!(error, StoreError::Config(_)), "jobs that have ended are forgotten");
    for job in &jobs {
        let found = parted(&server, 4).await.unwrap().find(&job.tenant, &job.id).await.unwrap();
        assert!(matches!(found, Found::Job(_)));
    }
}

#[tokio::test]
async fn a_store_of_an_earlier_release_has_one_shard() {
    let server = server_or_skip!();
    fill(&store(&server).await).await;
    let _: u32 = server.ask("HDEL {aisle:0}:meta shards");
    let error = parted(&server, 2).await.unwrap_err();
    assert!(matches!(&error, StoreError::Config(text) if text.contains("1 shards")), "{error}");
    store(&server).await.check().await.unwrap();
}

#[tokio::test]
async fn an_empty_store_takes_another_number_of_shards_and_keeps_the_rest() {
    let server = server_or_skip!();
    let before = parted(&server, 4).await.unwrap();
    let endpoint = endpoint();
    before.put_endpoint(&endpoint).await.unwrap();
    for job in fill(&before).await {
        before.delete(&job.tenant, &job.id).await.unwrap();
    }
    for number in [2, 7] {
        let store = parted(&server, number).await.unwrap();
        store.check().await.unwrap();
        let jobs = fill(&store).await;
        // Who was there before cannot write where nobody would find it.
        let refused = before.enqueue(&job(), &urls(1)).await.unwrap_err();
        assert!(matches!(refused, StoreError::Unavailable { .. }), "{refused:?}");
        let refused = before.admits(&tenant()).await;
        assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
        assert!(before.check().await.is_err());
        end_all(&store).await;
        assert_eq!(store.endpoint(&tenant(), &endpoint.id).await.unwrap(), endpoint);
        assert!(store.keys().await.unwrap().is_empty());
        let told = store.claim_deliveries(&wish()).await.unwrap();
        assert_eq!(told.len(), jobs.len(), "the ends of some jobs are not told");
        for job in jobs {
            store.delete(&job.tenant, &job.id).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_remembered_key_keeps_the_number_of_shards() {
    let server = server_or_skip!();
    let store = parted(&server, 4).await.unwrap();
    let idempotency = Idempotency {
        key: "k".to_owned(),
        fingerprint: "f".to_owned(),
        keep: Duration::from_secs(60),
    };
    let id = JobId::for_key(&tenant(), "k");
    let new = NewJob { id, idempotency: Some(idempotency), ..job() };
    assert!(store.enqueue(&new, &urls(1)).await.unwrap().is_created());
    store.delete(&tenant(), &id).await.unwrap();
    let error = parted(&server, 3).await.unwrap_err();
    assert!(matches!(&error, StoreError::Config(text) if text.contains("Idempotency")), "{error}");
    store.check().await.unwrap();
    let again = NewJob { id: JobId::for_key(&tenant(), "k"), ..new };
    assert_eq!(store.enqueue(&again, &urls(1)).await.unwrap(), Enqueued::Repeated(id));
}

#[tokio::test]
async fn an_end_that_was_taken_along_twice_is_told_once() {
    let server = server_or_skip!();
    let store = parted(&server, 4).await.unwrap();
    store.put_endpoint(&endpoint()).await.unwrap();
    let jobs = fill(&store).await;
    end_all(&store).await;
    let _: u32 = server.ask("COPY {aisle:1}:leaving {aisle:1}:kept");
    let leaving: Vec<String> = server.ask("KEYS {aisle:1}:leaving:*");
    assert!(!leaving.is_empty());
    for key in &leaving {
        let _: u32 = server.ask(&format!("COPY {key} kept:{key}"));
    }
    let told = store.claim_deliveries(&wish()).await.unwrap();
    assert_eq!(told.len(), jobs.len());
    assert!(told.iter().all(|told| told.event == Event::JobCanceled));
    // As a sender leaves it that dies before the shard has forgotten.
    let _: u32 = server.ask("COPY {aisle:1}:kept {aisle:1}:leaving");
    for key in &leaving {
        let _: u32 = server.ask(&format!("COPY kept:{key} {key}"));
    }
    assert!(store.claim_deliveries(&wish()).await.unwrap().is_empty());
    assert!(server.ask::<Vec<String>>("KEYS {aisle:1}:leaving*").is_empty());
}

#[tokio::test]
async fn caps_hold_over_all_shards() {
    let server = server_or_skip!();
    let shards = NonZeroU16::new(4).unwrap();
    let limits = StoreLimits { items: 25, tenant_items: 10, upload_bytes: u64::MAX };
    let options = RedisOptions { shards, limits, ..options(&server, Clock::Store) };
    let store = RedisStore::connect(options).await.unwrap();
    let of = |name: &str| NewJob { tenant: name.parse().unwrap(), ..job() };
    for tenant in ["a", "b"] {
        for _ in 0..10 {
            store.enqueue(&of(tenant), &urls(1)).await.unwrap();
        }
        let full = store.enqueue(&of(tenant), &urls(1)).await.unwrap_err();
        assert!(matches!(full, StoreError::Full { live: 10, limit: 10, .. }), "{full:?}");
        let full = store.admits(&tenant.parse().unwrap()).await.unwrap_err();
        assert!(matches!(full, StoreError::Full { live: 10, limit: 10, .. }), "{full:?}");
    }
    let full = store.enqueue(&of("c"), &urls(6)).await.unwrap_err();
    assert!(matches!(full, StoreError::Full { live: 20, limit: 25, .. }), "{full:?}");
    store.enqueue(&of("c"), &urls(5)).await.unwrap();
}
