//! Waking those who wait, in this process and in others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aisle_shared::domain::JobStatus;
use aisle_shared::store::{Found, Store};
use aisle_tests::fixtures::{items, job, model};

use crate::webhooks::{PER_LANE, due_in, job_telling};
use crate::world::{World, request};

/// Far longer than a wake-up takes: reaching it means that none came.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sooner than by polling, which waits a second.
const POLLED: Duration = Duration::from_millis(700);

/// A wake-up may be late, but not by more.
const LATE: Duration = Duration::from_secs(5);

/// Waits on one handle while another enqueues.
async fn wakes_a_worker(waiting: Arc<dyn Store>, submitting: Arc<dyn Store>) {
    for _ in 0..3 {
        let store = Arc::clone(&waiting);
        let worker = tokio::spawn(async move {
            // As a worker does: ask, wait, ask again.
            let started = Instant::now();
            while store.claim(&request("shoes", 1)).await.unwrap().is_empty() {
                store.wait_for_work(&model("shoes"), PATIENCE).await;
                assert!(started.elapsed() < PATIENCE, "nobody woke the worker");
            }
        });
        tokio::task::yield_now().await;
        let submitted = Instant::now();
        submitting.enqueue(&job(), &items(1)).await.unwrap();
        worker.await.unwrap();
        assert!(submitted.elapsed() < LATE, "woken after {:?}", submitted.elapsed());
    }
}

pub(crate) async fn new_work_wakes_a_worker(world: &World) {
    wakes_a_worker(world.store.clone(), world.store.clone()).await;
}

pub(crate) async fn new_work_wakes_a_worker_of_another_process(world: &World) {
    wakes_a_worker(world.another_handle().await.unwrap(), world.store.clone()).await;
}

pub(crate) async fn waiting_for_work_ends_at_its_timeout(world: &World) {
    let started = Instant::now();
    world.store.wait_for_work(&model("shoes"), Duration::from_millis(50)).await;
    assert!(started.elapsed() < LATE);
}

/// Watches on one handle while another takes the job to its end.
async fn wakes_a_reader(reading: Arc<dyn Store>, working: Arc<dyn Store>) {
    let new = job();
    working.enqueue(&new, &items(2)).await.unwrap();
    let (id, tenant) = (new.id, new.tenant.clone());
    let mut watch = reading.watch(&id);
    let reader = tokio::spawn(async move {
        let started = Instant::now();
        let mut versions = Vec::new();
        loop {
            let Found::Job(found) = reading.find(&tenant, &id).await.unwrap() else {
                panic!("the job is gone");
            };
            versions.push(found.version);
            if found.status == JobStatus::Succeeded {
                return (versions, started.elapsed());
            }
            watch.changed(PATIENCE).await;
        }
    });
    for held in working.claim(&request("shoes", 2)).await.unwrap() {
        let outcome = aisle_tests::fixtures::answer("Shirts");
        crate::world::complete(&*working, &held.lease, outcome).await;
    }
    let (versions, took) = reader.await.unwrap();
    assert!(took < LATE, "the reader learnt of the end after {took:?}");
    assert!(versions.is_sorted(), "the job went back in time: {versions:?}");
}

pub(crate) async fn a_change_wakes_its_reader(world: &World) {
    wakes_a_reader(world.store.clone(), world.store.clone()).await;
}

pub(crate) async fn a_change_wakes_its_reader_in_another_process(world: &World) {
    wakes_a_reader(world.another_handle().await.unwrap(), world.store.clone()).await;
}

pub(crate) async fn each_kind_of_change_wakes(world: &World) {
    let store = world.another_handle().await.unwrap();
    let new = job();
    world.enqueue(&new, 2).await;
    let before = Instant::now();
    let mut watch = store.watch(&new.id);
    world.claim_one().await;
    watch.changed(PATIENCE).await;
    let mut watch = store.watch(&new.id);
    world.store.cancel(&new.tenant, &new.id).await.unwrap();
    watch.changed(PATIENCE).await;
    let mut watch = store.watch(&new.id);
    world.crash().await;
    watch.changed(PATIENCE).await;
    let mut watch = store.watch(&new.id);
    world.store.delete(&new.tenant, &new.id).await.unwrap();
    watch.changed(PATIENCE).await;
    assert!(before.elapsed() < PATIENCE, "one of the changes woke nobody");
}

pub(crate) async fn a_quiet_job_wakes_at_the_timeout(world: &World) {
    let new = job();
    world.enqueue(&new, 1).await;
    let started = Instant::now();
    world.store.watch(&new.id).changed(Duration::from_millis(50)).await;
    assert!(started.elapsed() < LATE);
}

/// Waits for deliveries on one handle while another ends a job.
async fn wakes_a_sender(waiting: Arc<dyn Store>, world: &World) {
    world.sign_callbacks().await;
    let mut fastest = PATIENCE;
    for _ in 0..PER_LANE {
        let store = Arc::clone(&waiting);
        let sender = tokio::spawn(async move {
            let started = Instant::now();
            while due_in(&*store, 1).await.is_empty() {
                store.wait_for_deliveries(PATIENCE).await;
                assert!(started.elapsed() < PATIENCE, "nobody woke the sender");
            }
        });
        tokio::task::yield_now().await;
        let ended = Instant::now();
        world.end(&job_telling("hooks")).await;
        sender.await.unwrap();
        fastest = fastest.min(ended.elapsed());
    }
    assert!(fastest < POLLED, "woken after {fastest:?} at best");
}

pub(crate) async fn a_jobs_end_wakes_a_sender(world: &World) {
    wakes_a_sender(world.store.clone(), world).await;
}

pub(crate) async fn a_jobs_end_wakes_a_sender_of_another_process(world: &World) {
    wakes_a_sender(world.another_handle().await.unwrap(), world).await;
}

pub(crate) async fn waiting_for_deliveries_ends_at_its_timeout(world: &World) {
    let started = Instant::now();
    world.store.wait_for_deliveries(Duration::from_millis(50)).await;
    assert!(started.elapsed() < LATE);
}
