//! Those who wait in one process are woken by what another process does.

use std::time::{Duration, Instant};

use super::*;
use crate::domain::ItemOutcome;
use crate::store::Found;

/// Longer than a test may take: a wait this long was not woken.
const TOO_LONG: Duration = Duration::from_secs(30);

/// Connections that listen to a topic.
fn listening(server: &PrivateServer, topic: &str) -> u32 {
    let (_, listeners): (String, u32) = server.ask(&format!("PUBSUB NUMSUB {{aisle:0}}:{topic}"));
    listeners
}

/// Waits until that many listen to a topic.
async fn until_listening(server: &PrivateServer, topic: &str, count: u32) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let listeners = listening(server, topic);
        if listeners == count {
            return;
        }
        assert!(Instant::now() < deadline, "{listeners} of {count} connections listen");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_watcher_learns_of_a_change_by_another_process() {
    let server = server_or_skip!();
    let (api, worker) = (store(&server).await, store(&server).await);
    let job = job();
    api.enqueue(&job, &urls(1)).await.unwrap();
    let mut watch = api.watch(&job.id);
    let asked = Instant::now();
    assert_eq!(claim(&worker, 1).await.len(), 1);
    watch.changed(TOO_LONG).await;
    assert!(asked.elapsed() < TOO_LONG);
}

#[tokio::test]
async fn a_worker_learns_of_work_that_another_process_submits() {
    let server = server_or_skip!();
    let (api, worker) = (store(&server).await, store(&server).await);
    let asked = Instant::now();
    let model = model();
    let job = job();
    let items = urls(1);
    let (_, enqueued) =
        tokio::join!(worker.wait_for_work(&model, TOO_LONG), api.enqueue(&job, &items));
    enqueued.unwrap();
    assert!(asked.elapsed() < TOO_LONG);
}

#[tokio::test]
async fn a_lost_subscription_is_taken_up_again_and_wakes_everyone() {
    let server = server_or_skip!();
    let store = store(&server).await;
    let mut watch = store.watch(&JobId::generate());
    until_listening(&server, "jobs", 1).await;
    // That it listens now is news as well.
    watch.changed(TOO_LONG).await;
    let asked = Instant::now();
    assert_eq!(server.ask::<u32>("CLIENT KILL TYPE pubsub"), 1);
    watch.changed(TOO_LONG).await;
    assert!(asked.elapsed() < TOO_LONG);
    until_listening(&server, "jobs", 1).await;
}

#[tokio::test]
async fn nobody_listens_once_the_store_is_dropped() {
    let server = server_or_skip!();
    let store = store(&server).await;
    drop(store.watch(&JobId::generate()));
    until_listening(&server, "jobs", 1).await;
    drop(store);
    until_listening(&server, "jobs", 0).await;
}

#[tokio::test]
async fn a_process_hears_only_of_what_it_waits_for() {
    let server = server_or_skip!();
    let (api, worker) = (store(&server).await, store(&server).await);
    drop(api.watch(&JobId::generate()));
    worker.wait_for_work(&model(), TOO_LONG).await;
    until_listening(&server, "jobs", 1).await;
    until_listening(&server, "work", 1).await;
    drop(worker.watch_end(&JobId::generate()));
    until_listening(&server, "jobs", 2).await;
    assert_eq!(listening(&server, "changes"), 1, "an end is no other change");
    assert_eq!(listening(&server, "deliveries"), 0);
}

#[tokio::test]
async fn who_waits_for_the_end_is_not_woken_before() {
    let server = server_or_skip!();
    let (api, worker) = (store(&server).await, store(&server).await);
    let follower = store(&server).await;
    let job = job();
    api.enqueue(&job, &urls(1)).await.unwrap();
    let (mut patient, mut curious) = (api.watch_end(&job.id), follower.watch(&job.id));
    // That it is listened for now is news as well.
    patient.changed(TOO_LONG).await;
    let held = claim(&worker, 1).await;
    curious.changed(TOO_LONG).await;
    let outcome = ItemOutcome::Canceled;
    worker.complete(&[(held[0].lease.clone(), outcome)]).await.unwrap();
    patient.changed(TOO_LONG).await;
    let Found::Job(found) = api.find(&tenant(), &job.id).await.unwrap() else { panic!("no job") };
    assert!(found.status.is_terminal());
}
