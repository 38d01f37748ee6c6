//! What is SQLite's own: the file, its processes, its counters and its plans.
//! What any store must do is held by the conformance suite.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tempfile::TempDir;

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::disk::Reserve;
use crate::domain::{
    Activation, ErrorCode, ItemCounts, ItemRef, Job, JobOptions, JobStatus, ModelCard, Priority,
    Timestamp,
};
use crate::store::sqlite::open::open_reader;
use crate::store::{StoreLimits, submit};

const LEASE: Duration = Duration::from_secs(10);

/// Long enough for the slowest machine; no test waits that long.
const DEADLINE: Duration = Duration::from_secs(30);

fn options(folder: &TempDir) -> SqliteOptions {
    SqliteOptions {
        path: folder.path().join("data").join("aisle.db"),
        limits: StoreLimits::of_items(1_000),
        reserve: Reserve::NONE,
        ballast: 0,
        clock: Clock::Store,
    }
}

fn store(folder: &TempDir) -> SqliteStore {
    SqliteStore::open(options(folder)).unwrap()
}

fn model() -> ModelName {
    "mobilenet".parse().unwrap()
}

fn new_job() -> NewJob {
    NewJob {
        id: JobId::generate(),
        tenant: TenantId::default_tenant(),
        weight: 1,
        model: model(),
        priority: Priority::Normal,
        options: JobOptions { top_k: 5, cache: true, accept_precision: None },
        metadata: serde_json::from_str(r#"{"sku":"a\u0000b"}"#).unwrap(),
        max_attempts: 2,
        retention: Duration::from_secs(3600),
        callback: None,
        idempotency: None,
        trace: None,
    }
}

fn items(count: usize) -> Vec<NewItem> {
    (0..count).map(|n| NewItem::at_url(format!("https://shop.example/{n}.jpg\0"))).collect()
}

async fn submitted(store: &SqliteStore, count: usize) -> NewJob {
    let job = new_job();
    assert!(submit(store, &job, &items(count)).await.unwrap().is_created());
    job
}

fn request(worker: &WorkerId, max: usize) -> ClaimRequest {
    ClaimRequest { worker: worker.clone(), model: model(), max, lease: LEASE, with_content: false }
}

async fn claimed(store: &SqliteStore, max: usize) -> Vec<Claimed> {
    store.claim(&request(&WorkerId::generate(), max)).await.unwrap()
}

fn failed() -> ItemOutcome {
    ItemOutcome::Failed(ItemError::new(ErrorCode::Undecodable, "no image"))
}

async fn found(store: &SqliteStore, job: &NewJob) -> Job {
    match store.find(&job.tenant, &job.id).await.unwrap() {
        Found::Job(job) => *job,
        other @ (Found::Expired | Found::Unknown) => panic!("{other:?}"),
    }
}

fn card(worker: &WorkerId) -> WorkerCard {
    let model = ModelCard {
        name: model(),
        version: "1".to_owned(),
        labels: vec!["shirt".to_owned()],
        input_size: [224, 224],
        activation: Activation::Softmax,
        provider: "cpu".to_owned(),
        precision: "fp32".to_owned(),
        accept: Vec::new(),
        trouble: None,
    };
    let started_at = Timestamp::now();
    WorkerCard { id: worker.clone(), pid: 1, started_at, models: vec![model] }
}

#[tokio::test]
async fn a_job_lives_from_its_submission_to_its_result() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let job = submitted(&store, 2).await;
    assert_eq!(store.enqueue(&job, &items(2)).await.unwrap(), Enqueued::Replayed);
    let queued = found(&store, &job).await;
    assert_eq!((queued.status, &queued.metadata), (JobStatus::Queued, &job.metadata));

    let held = claimed(&store, 8).await;
    assert_eq!(held.len(), 2);
    assert_eq!(held[1].source, items(2)[1].source);
    let processing = found(&store, &job).await;
    assert_eq!(processing.status, JobStatus::Processing);
    assert!(processing.started_at.is_some() && processing.version > queued.version);

    let stranger = Lease { token: held[1].lease.token.clone(), ..held[0].lease.clone() };
    let outcomes = [
        (held[0].lease.clone(), failed()),
        (stranger, ItemOutcome::Canceled),
        (held[1].lease.clone(), failed()),
    ];
    let recorded = store.complete(&outcomes).await.unwrap();
    let ended = Recorded::Stored { job_ended: Some(JobStatus::Failed) };
    assert_eq!(recorded, [Recorded::Stored { job_ended: None }, Recorded::Gone, ended]);
    assert_eq!(store.complete(&outcomes[..1]).await.unwrap(), [Recorded::Gone]);

    let over = found(&store, &job).await;
    assert_eq!(over.items, ItemCounts { total: 2, failed: 2, ..ItemCounts::default() });
    assert_eq!(over.expires_at.unwrap().since(over.completed_at.unwrap()), job.retention);
    let results = store.results(&job.tenant, &job.id, 1, 5).await.unwrap();
    assert_eq!(results, [ItemResult { index: 1, outcome: failed() }]);
    assert_eq!(store.stats().await.unwrap(), Stats::default());
    store.check().await.unwrap();
}

#[tokio::test]
async fn a_reopened_store_holds_what_the_dropped_one_held() {
    let folder = tempfile::tempdir().unwrap();
    let first = store(&folder);
    let job = submitted(&first, 3).await;
    let held = claimed(&first, 1).await.remove(0);
    let before = found(&first, &job).await;
    drop(first);
    let log = beside(&options(&folder).path, "-wal");
    assert!(!log.exists(), "the last to close writes the log back: every thread has ended");

    let second = store(&folder);
    assert_eq!(found(&second, &job).await, before);
    let recorded = second.complete(&[(held.lease, failed())]).await.unwrap();
    assert_eq!(recorded, [Recorded::Stored { job_ended: None }]);
    assert_eq!(claimed(&second, 9).await.len(), 2);
}

#[tokio::test]
async fn two_handles_on_one_file_see_and_wake_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (store(&folder), store(&folder));
    let job = new_job();
    let mut watch = there.watch(&job.id);
    let model = model();
    let begun = Instant::now();
    let one = items(1);
    let waiting = there.wakers.wait_for_work(&model, DEADLINE);
    let (enqueued, ()) = tokio::join!(here.enqueue(&job, &one), waiting);
    enqueued.unwrap();
    assert!(begun.elapsed() < DEADLINE, "woken for work");
    assert_eq!(claimed(&there, 1).await.len(), 1);

    let mut watch_here = here.watch(&job.id);
    there.cancel(&job.tenant, &job.id).await.unwrap();
    watch_here.changed(DEADLINE).await;
    assert!(found(&here, &job).await.cancel_requested);
    watch.changed(DEADLINE).await;
    assert!(begun.elapsed() < DEADLINE, "woken for the job");
}

#[tokio::test]
async fn a_dead_workers_items_are_free_at_once_and_a_live_workers_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let (reaper, lost, live) = (store(&folder), store(&folder), store(&folder));
    let (dead_id, live_id) = (WorkerId::generate(), WorkerId::generate());
    lost.announce(&card(&dead_id), LEASE).await.unwrap();
    live.announce(&card(&live_id), LEASE).await.unwrap();
    submitted(&reaper, 3).await;
    let taken = lost.claim(&request(&dead_id, 2)).await.unwrap();
    live.claim(&request(&live_id, 1)).await.unwrap();
    assert_eq!(reaper.reap(10).await.unwrap(), Reaped::default());
    assert_eq!(reaper.models().await.unwrap()[0].live_workers, 2);

    drop(lost);
    let first = reaper.reap(1).await.unwrap();
    let second = reaper.reap(10).await.unwrap();
    let requeued = [first.requeued, second.requeued].concat();
    assert_eq!(requeued, [taken[0].lease.item, taken[1].lease.item]);
    assert_eq!(reaper.models().await.unwrap()[0].live_workers, 1);
    assert_eq!(reaper.reap(10).await.unwrap(), Reaped::default());
    let alone = claimed(&reaper, 10).await;
    assert_eq!((alone.len(), alone[0].solo), (1, true));
}

#[tokio::test]
async fn a_retired_worker_can_come_back_under_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (store(&folder), store(&folder));
    let worker = WorkerId::generate();
    here.announce(&card(&worker), LEASE).await.unwrap();
    assert!(matches!(there.announce(&card(&worker), LEASE).await, Err(StoreError::Invalid(_))));
    here.retire(&worker).await.unwrap();
    assert_eq!(there.models().await.unwrap()[0].live_workers, 0);
    there.announce(&card(&worker), LEASE).await.unwrap();
    assert_eq!(here.models().await.unwrap()[0].live_workers, 1);
}

#[tokio::test]
async fn a_reboot_voids_leases_and_counts_no_crash() {
    let folder = tempfile::tempdir().unwrap();
    let on_boot = |boot| {
        let clock = StoreClock::of_boot(Clock::Store, boot);
        SqliteStore::open_with(options(&folder), clock, log_of).unwrap()
    };
    let before = on_boot("first");
    submitted(&before, 1).await;
    let item = claimed(&before, 1).await.remove(0).lease.item;
    assert_eq!(before.reap(10).await.unwrap(), Reaped::default());
    drop(before);
    let after = on_boot("second");
    assert_eq!(after.reap(10).await.unwrap().requeued, [item]);
    let again = claimed(&after, 1).await.remove(0);
    assert!(!again.solo, "a crash would have it run alone");
}

#[tokio::test]
async fn a_lease_that_ran_out_is_taken_back_and_its_token_is_worth_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(Timestamp(1_000_000));
    let options = SqliteOptions { clock: Clock::Manual(clock.clone()), ..options(&folder) };
    let store = SqliteStore::open(options).unwrap();
    submitted(&store, 1).await;
    let late = claimed(&store, 1).await.remove(0);
    clock.advance(LEASE - Duration::from_millis(1));
    assert_eq!(store.reap(10).await.unwrap(), Reaped::default());
    clock.advance(Duration::from_millis(1));
    assert_eq!(store.reap(10).await.unwrap().requeued, [late.lease.item]);
    let again = claimed(&store, 1).await.remove(0);
    assert_eq!((again.solo, again.attempt), (true, 2));
    assert_eq!(store.complete(&[(late.lease, failed())]).await.unwrap(), [Recorded::Fenced]);
}

#[tokio::test]
async fn a_job_never_sealed_is_invisible_and_then_gone() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(Timestamp(1_000_000));
    let options = SqliteOptions { clock: Clock::Manual(clock.clone()), ..options(&folder) };
    let store = SqliteStore::open(options).unwrap();
    let job = new_job();
    store.open(&job, 900).await.unwrap();
    store.append(&job.id, 0, &items(200)).await.unwrap();
    assert_eq!(store.find(&job.tenant, &job.id).await.unwrap(), Found::Unknown);
    assert!(claimed(&store, 1).await.is_empty());
    let full = store.open(&new_job(), 101).await;
    assert!(matches!(full, Err(StoreError::Full { live: 900, limit: 1_000, .. })), "{full:?}");

    clock.advance(Duration::from_secs(600));
    let swept = store.sweep(10).await.unwrap();
    assert_eq!(swept, Swept { expired: Vec::new(), aborted: vec![(job.id, 900)] });
    assert_eq!(store.find(&job.tenant, &job.id).await.unwrap(), Found::Unknown);
    assert!(matches!(store.append(&job.id, 200, &items(1)).await, Err(StoreError::NotFound)));
    assert_eq!(store.stats().await.unwrap().live, 0);
}

#[tokio::test]
async fn processes_that_start_together_all_find_the_store_ready() {
    let folder = tempfile::tempdir().unwrap();
    let stores: Vec<SqliteStore> = std::thread::scope(|scope| {
        let open = || scope.spawn(|| store(&folder));
        let threads: Vec<_> = (0..8).map(|_| open()).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let job = submitted(&stores[0], 1).await;
    for store in &stores {
        assert_eq!(found(store, &job).await.id, job.id);
    }
}

fn refusal(path: &Path, sql: &str) -> String {
    let db = rusqlite::Connection::open(path).unwrap();
    db.execute_batch(sql).unwrap();
    drop(db);
    let options = SqliteOptions {
        path: path.to_owned(),
        limits: StoreLimits::of_items(1),
        reserve: Reserve::NONE,
        ballast: 0,
        clock: Clock::default(),
    };
    match SqliteStore::open(options) {
        Err(StoreError::Config(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_file_of_an_older_release_is_brought_up_to_date_with_its_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let path = options(&folder).path;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch(include_str!("../migrations/0001_jobs.sql")).unwrap();
    db.execute_batch(
        "PRAGMA application_id = 0x6169736c; PRAGMA user_version = 1;
         INSERT INTO lanes (id, model, band) VALUES (1, 'shoes', 1);",
    )
    .unwrap();
    let id = JobId::generate();
    db.execute(
        "INSERT INTO jobs (id, tenant, lane, status, total, created_at, retention_ms,
                           max_attempts, weight, options, metadata)
         VALUES (?1, 'default', 1, 'queued', 1, 5, 1000, 3, 1, '{\"top_k\":5}', '{}')",
        [id.as_uuid().as_bytes()],
    )
    .unwrap();
    drop(db);
    let found = store(&folder).find(&TenantId::default_tenant(), &id).await.unwrap();
    let Found::Job(job) = found else { panic!("{found:?}") };
    assert_eq!((job.created_at.0, job.callback), (5, None));
}

#[test]
fn a_newer_schema_and_a_foreign_database_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = options(&folder).path;
    drop(store(&folder));
    assert!(refusal(&path, "PRAGMA user_version = 1000").contains("newer release"));
    let foreign = folder.path().join("notes.db");
    assert!(refusal(&foreign, "CREATE TABLE notes (text)").contains("another program"));
}

#[tokio::test]
async fn a_claim_that_finds_nothing_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let job = submitted(&store, 1).await;
    claimed(&store, 1).await;
    // The tenant's place in line, which is of no use once its item is claimed.
    store.sweep(8).await.unwrap();
    let reader = open_reader(&options(&folder).path).unwrap();
    let version =
        || -> i64 { reader.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap() };
    let before = version();
    for _ in 0..3 {
        assert!(claimed(&store, 8).await.is_empty());
        assert_eq!(store.reap(8).await.unwrap(), Reaped::default());
        assert_eq!(store.sweep(8).await.unwrap(), Swept::default());
    }
    assert_eq!(version(), before);
    store.cancel(&job.tenant, &job.id).await.unwrap();
    assert_ne!(version(), before, "a write is seen");
}

/// Counters as they should be: live, ready, delayed, running.
fn recount(folder: &TempDir) -> (i64, i64, i64, i64) {
    let db = open_reader(&options(folder).path).unwrap();
    db.query_row(
        "SELECT (SELECT coalesce(sum(total - succeeded - failed - canceled), 0) FROM jobs),
                coalesce(sum(state = 'ready'), 0), coalesce(sum(state = 'delayed'), 0),
                coalesce(sum(state = 'running'), 0) FROM items",
        [],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
    )
    .unwrap()
}

async fn counted(store: &SqliteStore) -> (i64, i64, i64, i64) {
    let stats = store.stats().await.unwrap();
    let ready = stats.lanes.iter().map(|lane| lane.ready).sum::<u64>();
    [stats.live, ready, stats.delayed, stats.running].map(|n| i64::try_from(n).unwrap()).into()
}

#[tokio::test]
async fn counters_stay_equal_to_a_recount() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let jobs = [submitted(&store, 5).await, submitted(&store, 5).await];
    let large = submitted(&store, 250).await;
    store.open(&new_job(), 7).await.unwrap();
    let held = claimed(&store, 6).await;
    let error = ItemError::new(ErrorCode::UrlUnreachable, "no answer");
    store.retry(&held[0].lease, LEASE, &error).await.unwrap();
    store.release(&[held[1].lease.clone()]).await.unwrap();
    store.complete(&[(held[2].lease.clone(), failed())]).await.unwrap();
    assert_eq!(recount(&folder), (266, 255, 1, 3));
    assert_eq!(counted(&store).await, recount(&folder));

    let canceled = store.cancel(&large.tenant, &large.id).await.unwrap();
    assert!(matches!(canceled, Canceled::Requested { items } if items.len() >= 247));
    store.delete(&jobs[0].tenant, &jobs[0].id).await.unwrap();
    assert_eq!(counted(&store).await, recount(&folder));
    store.delete(&jobs[1].tenant, &jobs[1].id).await.unwrap();
    store.delete(&large.tenant, &large.id).await.unwrap();
    assert_eq!(recount(&folder), (7, 0, 0, 0));
    assert_eq!(counted(&store).await, recount(&folder));
    assert_eq!(store.find(&large.tenant, &large.id).await.unwrap(), Found::Expired);
    let stranger: TenantId = "stranger".parse().unwrap();
    assert_eq!(store.find(&stranger, &large.id).await.unwrap(), Found::Unknown);
}

#[test]
fn the_queries_of_a_busy_store_walk_indexes_and_sort_nothing() {
    let folder = tempfile::tempdir().unwrap();
    drop(store(&folder));
    let db = open_reader(&options(&folder).path).unwrap();
    for sql in [
        claim::READY_ITEMS,
        claim::PROMOTE_DUE,
        cache::FORGET_OLDEST,
        overview::LANES,
        reap::RUN_OUT,
        webhooks::claim::DUE_LANES,
        webhooks::turn::DUE_TENANTS,
        webhooks::lane::READY_DELIVERIES,
    ] {
        let mut explain = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let plan = explain.raw_query().mapped(|row| row.get::<_, String>(3));
        for line in plan.map(Result::unwrap) {
            let walks_table = line.starts_with("SCAN") && !line.contains("INDEX");
            let small = line.starts_with("SCAN l");
            assert!(!line.contains("TEMP B-TREE") && (small || !walks_table), "{sql}: {line}");
        }
    }
}

#[test]
fn a_statement_is_planned_once_whatever_is_bound_to_it() {
    let folder = tempfile::tempdir().unwrap();
    drop(store(&folder));
    let db = open_reader(&options(&folder).path).unwrap();
    for limit in 1..4 {
        let mut select = db.prepare_cached(claim::READY_ITEMS).unwrap();
        assert!(select.query((1, false, limit)).unwrap().next().unwrap().is_none());
        assert_eq!(select.get_status(rusqlite::StatementStatus::RePrepare), 0);
    }
}

#[tokio::test]
async fn a_large_job_waits_for_the_disk_once_when_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let syncs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&syncs);
    let counting = |_: &Path| -> Result<LogSync, StoreError> {
        Ok(Box::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }))
    };
    let clock = StoreClock::of_this_boot(Clock::Store).unwrap();
    let store = SqliteStore::open_with(options(&folder), clock, counting).unwrap();
    let job = new_job();
    for index in 0..3 {
        store.put_upload(ItemRef { job: job.id, index }, "bytes".into()).await.unwrap();
    }
    store.open(&job, 3).await.unwrap();
    store.append(&job.id, 0, &items(3)).await.unwrap();
    assert_eq!(syncs.load(Ordering::Relaxed), 0);
    store.seal(&job.id).await.unwrap();
    assert_eq!(syncs.load(Ordering::Relaxed), 1);
    assert_eq!(claimed(&store, 3).await.len(), 3);
    assert_eq!(syncs.load(Ordering::Relaxed), 1);
}
