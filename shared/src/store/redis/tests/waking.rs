//! Those who wait in one process are woken by what another process does.

use std::time::{Duration, Instant};

use super::*;

/// Longer than a test may take: a wait this long was not woken.
const TOO_LONG: Duration = Duration::from_secs(30);

/// Waits until that many connections listen.
async fn until_listening(server: &PrivateServer, count: u32) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let (_, listeners): (String, u32) = server.ask("PUBSUB NUMSUB {aisle:0}:changed");
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
    until_listening(&server, 1).await;
    let mut watch = store.watch(&JobId::generate());
    let asked = Instant::now();
    assert_eq!(server.ask::<u32>("CLIENT KILL TYPE pubsub"), 1);
    watch.changed(TOO_LONG).await;
    assert!(asked.elapsed() < TOO_LONG);
    until_listening(&server, 1).await;
}

#[tokio::test]
async fn nobody_listens_once_the_store_is_dropped() {
    let server = server_or_skip!();
    let store = store(&server).await;
    until_listening(&server, 1).await;
    drop(store);
    until_listening(&server, 0).await;
}
