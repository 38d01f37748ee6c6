//! What is SQLite's own. What any store must do is held by the conformance
//! suite.

use std::time::Duration;

use crate::clock::{Clock, ManualClock};
use crate::domain::{
    Callback, DeliveryId, EndpointId, Event, JobId, JobOptions, NewItem, NewJob, Priority,
    TenantId, Timestamp, WorkerId,
};
use crate::store::sqlite::open::open_reader;
use crate::store::{ClaimRequest, DeliveryClaim, SqliteOptions, SqliteStore, Store, Webhooks};

fn open(folder: &tempfile::TempDir, clock: &ManualClock) -> SqliteStore {
    let path = folder.path().join("aisle.db");
    let clock = Clock::Manual(clock.clone());
    SqliteStore::open(SqliteOptions {
        path,
        limits: crate::store::StoreLimits::of_items(10),
        reserve: crate::disk::Reserve::NONE,
        ballast: 0,
        clock,
    })
    .unwrap()
}

async fn submitted(store: &SqliteStore) -> NewJob {
    let origin = "https://hooks.example".to_owned();
    let job = NewJob {
        id: JobId::generate(),
        tenant: TenantId::default_tenant(),
        weight: 1,
        model: "mobilenet".parse().unwrap(),
        priority: Priority::Normal,
        options: JobOptions { top_k: 5, cache: true, accept_precision: None },
        metadata: serde_json::Map::new(),
        max_attempts: 2,
        retention: Duration::from_secs(3600),
        callback: Some(Callback { url: format!("{origin}/"), origin }),
        idempotency: None,
        trace: None,
    };
    let item = NewItem::at_url("https://shop.example/1.jpg".to_owned());
    store.enqueue(&job, &[item]).await.unwrap();
    job
}

#[tokio::test]
async fn an_item_that_a_claim_finds_canceled_tells_its_jobs_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder, &ManualClock::at(Timestamp(1_000_000)));
    let job = submitted(&store).await;
    let db = rusqlite::Connection::open(folder.path().join("aisle.db")).unwrap();
    db.execute("UPDATE jobs SET cancel_requested = 1", []).unwrap();
    let request = ClaimRequest {
        worker: WorkerId::generate(),
        model: job.model.clone(),
        max: 1,
        lease: Duration::from_secs(10),
        with_content: false,
    };
    assert!(store.claim(&request).await.unwrap().is_empty());
    let id = DeliveryId { job: job.id, endpoint: EndpointId::callbacks() };
    assert_eq!(store.delivery(&job.tenant, &id).await.unwrap().event, Event::JobCanceled);
}

#[tokio::test]
async fn a_claim_of_deliveries_that_finds_nothing_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(Timestamp(1_000_000));
    let store = open(&folder, &clock);
    let job = submitted(&store).await;
    let wish = DeliveryClaim { max: 8, per_lane: 8, per_tenant: 8, lease: Duration::from_secs(60) };
    store.cancel(&job.tenant, &job.id).await.unwrap();
    // Nothing signs it, so that it is given up here.
    assert!(store.claim_deliveries(&wish).await.unwrap().is_empty());
    let reader = open_reader(&folder.path().join("aisle.db")).unwrap();
    let version =
        || -> i64 { reader.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap() };
    let before = version();
    for _ in 0..3 {
        assert!(store.claim_deliveries(&wish).await.unwrap().is_empty());
    }
    assert_eq!(version(), before);
    store
        .replay_delivery(
            &job.tenant,
            &DeliveryId { job: job.id, endpoint: EndpointId::callbacks() },
        )
        .await
        .unwrap();
    assert_ne!(version(), before, "a write is seen");
}
