//! Upkeep over a real store and real files, with a clock held by hand.

use std::fs;

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::blob::FileBlobs;
use crate::clock::{Clock, ManualClock};
use crate::disk::Reserve;
use crate::domain::{
    ItemRef, JobOptions, ModelName, NewItem, NewJob, Priority, TenantId, Timestamp, WorkerId,
};
use crate::store::{ClaimRequest, MAX_SOLO_CRASHES, SqliteOptions, SqliteStore, StoreLimits};

const LEASE: Duration = Duration::from_secs(10);
const RETENTION: Duration = Duration::from_secs(3_600);

/// Long enough for the slowest machine; no test waits that long.
const DEADLINE: Duration = Duration::from_secs(30);

struct Rig {
    upkeep: Upkeep,
    clock: ManualClock,
    folder: TempDir,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(Timestamp::now());
        let store = SqliteStore::open(SqliteOptions {
            path: folder.path().join("aisle.db"),
            limits: StoreLimits::of_items(1_000),
            reserve: Reserve::NONE,
            ballast: 0,
            clock: Clock::Manual(clock.clone()),
        });
        let blobs = FileBlobs::open(folder.path().join("blobs"));
        let upkeep = Upkeep { store: Arc::new(store.unwrap()), blobs: Arc::new(blobs.unwrap()) };
        Self { upkeep, clock, folder }
    }

    /// A job with one uploaded image.
    async fn submit(&self, id: JobId) -> ItemRef {
        let item = self.upload(id).await;
        let job = NewJob {
            id,
            tenant: TenantId::default_tenant(),
            weight: 1,
            model: model(),
            priority: Priority::Normal,
            options: JobOptions { top_k: 5, cache: true, accept_precision: None },
            metadata: serde_json::Map::new(),
            max_attempts: 100,
            retention: RETENTION,
            callback: None,
            idempotency: None,
            trace: None,
        };
        self.upkeep.store.enqueue(&job, &[NewItem::stored(1)]).await.unwrap();
        item
    }

    async fn upload(&self, job: JobId) -> ItemRef {
        let item = ItemRef { job, index: 0 };
        self.upkeep.blobs.put(item, Bytes::from("an image")).await.unwrap();
        item
    }

    async fn has_bytes(&self, item: ItemRef) -> bool {
        self.upkeep.blobs.get(item).await.unwrap().is_some()
    }

    /// A worker claims an item and never says a word again.
    async fn claim_and_fall_silent(&self) {
        let request = ClaimRequest {
            worker: WorkerId::generate(),
            model: model(),
            max: 1,
            lease: LEASE,
            with_content: false,
        };
        assert_eq!(self.upkeep.store.claim(&request).await.unwrap().len(), 1);
        self.clock.advance(LEASE + Duration::from_secs(1));
    }
}

fn model() -> ModelName {
    "mobilenet".parse().unwrap()
}

/// A job whose id is from long ago.
fn old_job(last: u8) -> JobId {
    format!("00000000-0001-7000-8000-0000000000{last:02x}").parse().unwrap()
}

#[tokio::test]
async fn what_a_silent_worker_held_is_taken_back_with_its_bytes() {
    let rig = Rig::new();
    let item = rig.submit(JobId::generate()).await;
    assert_eq!(rig.upkeep.step_reap().await.unwrap(), Reaped::default());
    rig.claim_and_fall_silent().await;
    assert_eq!(rig.upkeep.step_reap().await.unwrap().requeued, [item]);
    assert!(rig.has_bytes(item).await);
}

#[tokio::test]
async fn the_bytes_of_an_item_that_ends_canceled_go() {
    let rig = Rig::new();
    let item = rig.submit(JobId::generate()).await;
    rig.claim_and_fall_silent().await;
    rig.upkeep.store.cancel(&TenantId::default_tenant(), &item.job).await.unwrap();
    assert_eq!(rig.upkeep.step_reap().await.unwrap().canceled, [item]);
    assert!(!rig.has_bytes(item).await);
}

#[tokio::test]
async fn the_bytes_of_a_dead_letter_stay_until_its_job_is_forgotten() {
    let rig = Rig::new();
    let item = rig.submit(JobId::generate()).await;
    // The first crash is not yet one of a worker that held the item alone.
    for _ in 0..MAX_SOLO_CRASHES {
        rig.claim_and_fall_silent().await;
        assert_eq!(rig.upkeep.step_reap().await.unwrap().requeued, [item]);
    }
    rig.claim_and_fall_silent().await;
    assert_eq!(rig.upkeep.step_reap().await.unwrap().dead, [item]);
    assert!(rig.has_bytes(item).await);

    assert_eq!(rig.upkeep.step_sweep().await.unwrap(), Swept::default());
    rig.clock.advance(RETENTION + Duration::from_secs(1));
    assert_eq!(rig.upkeep.step_sweep().await.unwrap().expired, [(item.job, 1)]);
    assert!(!rig.has_bytes(item).await);
}

#[tokio::test]
async fn bytes_go_when_their_job_never_came_and_stay_when_it_did() {
    let rig = Rig::new();
    let kept = rig.submit(old_job(1)).await;
    let orphan = rig.upload(old_job(2)).await;
    let young = rig.upload(JobId::generate()).await;
    assert_eq!(rig.upkeep.step_orphans().await.unwrap(), [orphan.job]);
    assert!(rig.has_bytes(kept).await && rig.has_bytes(young).await);
    assert!(!rig.has_bytes(orphan).await);
}

#[tokio::test]
async fn it_runs_by_itself_until_told_to_stop() {
    let rig = Rig::new();
    let orphan = rig.upload(old_job(3)).await;
    let item = rig.submit(JobId::generate()).await;
    rig.clock.advance(RETENTION);
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(rig.upkeep.clone().run(shutdown.clone()));
    let removed = async {
        while rig.has_bytes(orphan).await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, removed).await.unwrap();
    shutdown.cancel();
    tokio::time::timeout(DEADLINE, running).await.unwrap().unwrap();
    assert!(rig.has_bytes(item).await);
}

#[tokio::test]
async fn a_step_that_fails_holds_up_neither_itself_nor_the_others() {
    let rig = Rig::new();
    let orphan = rig.upload(old_job(3)).await;
    rig.submit(JobId::generate()).await;
    // The files are gone for as long as their folder has another name.
    let (blobs, away) = (rig.folder.path().join("blobs"), rig.folder.path().join("away"));
    fs::rename(&blobs, &away).unwrap();
    assert!(matches!(rig.upkeep.take(Step::Orphans).await, Err(UpkeepError::Blobs(_))));

    let shutdown = CancellationToken::new();
    let running = tokio::spawn(rig.upkeep.clone().run(shutdown.clone()));
    rig.claim_and_fall_silent().await;
    let taken_back = async {
        while rig.upkeep.store.stats().await.unwrap().running > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, taken_back).await.unwrap();
    shutdown.cancel();
    running.await.unwrap();

    fs::rename(&away, &blobs).unwrap();
    assert_eq!(rig.upkeep.step_orphans().await.unwrap(), [orphan.job]);
}

#[test]
fn the_pause_grows_with_failures_and_shrinks_with_success() {
    let mut streak = Streak { step: Step::Reap, failures: 0 };
    let mut pause = |round| streak.pause_after(&round).as_secs();
    let failed = || Err(StoreError::unavailable("it is away").into());
    assert_eq!([failed(), failed(), failed(), failed()].map(&mut pause), [2, 4, 5, 5]);
    assert_eq!([Ok(Pace::Again), Ok(Pace::Rest), failed()].map(&mut pause), [0, 1, 2]);

    let mut slow = Streak { step: Step::Orphans, failures: 1_000 };
    assert_eq!(slow.pause_after(&failed()), Step::Orphans.period());
}

#[test]
fn a_step_that_did_all_it_may_is_repeated_at_once() {
    assert_eq!([0, LIMIT - 1, LIMIT].map(pace), [Pace::Rest, Pace::Rest, Pace::Again]);
}
