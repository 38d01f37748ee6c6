//! Uploads expire until a job names them, stay until it is gone, and go
//! with it.

use bytes::Bytes;

use super::turns::Turns;
use super::*;
use crate::blob::{BlobStore, ORPHAN_AGE};
use crate::domain::{ItemOutcome, ItemRef};

const UPLOAD: NewItem = NewItem::stored(5);
const NOT_UTF8: Bytes = Bytes::from_static(&[0xff, 0xd8, 0x00, 0x0d, 0x0a]);

fn time_to_live(server: &PrivateServer, item: ItemRef) -> i64 {
    server.ask(&format!("PTTL {{aisle:0}}:b:{item}"))
}

#[tokio::test]
async fn an_upload_stays_once_its_job_is_submitted() {
    let server = server_or_skip!();
    let store = store(&server).await;
    let blobs = store.blobs();
    let job = job();
    let item = |index| ItemRef { job: job.id, index };
    for index in 0..2 {
        blobs.put(item(index), NOT_UTF8).await.unwrap();
        let left = time_to_live(&server, item(index));
        assert!(left > 0 && left <= i64::try_from(ORPHAN_AGE.as_millis()).unwrap(), "{left}");
    }

    store.enqueue(&job, &[UPLOAD, UPLOAD]).await.unwrap();
    assert_eq!([time_to_live(&server, item(0)), time_to_live(&server, item(1))], [-1, -1]);
    assert_eq!(blobs.get(item(1)).await.unwrap(), Some(NOT_UTF8));
    assert_eq!(blobs.get(item(2)).await.unwrap(), None);

    blobs.delete(&[item(0), item(2)]).await.unwrap();
    assert_eq!(blobs.get(item(0)).await.unwrap(), None);
    blobs.delete_job(job.id, 2).await.unwrap();
    assert_eq!(blobs.get(item(1)).await.unwrap(), None);
    assert!(blobs.aged_jobs(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn uploads_of_a_large_job_stay_once_they_are_appended() {
    let server = server_or_skip!();
    let store = store(&server).await;
    let job = job();
    let item = ItemRef { job: job.id, index: 1 };
    store.blobs().put(item, NOT_UTF8).await.unwrap();
    store.open(&job, 2).await.unwrap();
    assert!(time_to_live(&server, item) > 0);
    store.append(&job.id, 0, &[urls(1).remove(0), UPLOAD]).await.unwrap();
    assert_eq!(time_to_live(&server, item), -1);
}

#[tokio::test]
async fn a_jobs_uploads_go_with_it() {
    let server = server_or_skip!();
    let (store, clock) = store_with_clock(&server).await;
    let blobs = store.blobs();
    let (deleted, aborted) = (job(), job());
    for job in [&deleted, &aborted] {
        blobs.put(ItemRef { job: job.id, index: 0 }, NOT_UTF8).await.unwrap();
    }
    store.enqueue(&deleted, &[UPLOAD]).await.unwrap();
    store.open(&aborted, 2).await.unwrap();
    store.append(&aborted.id, 0, &[UPLOAD]).await.unwrap();

    store.delete(&tenant(), &deleted.id).await.unwrap();
    clock.advance(Duration::from_secs(11 * 60));
    assert_eq!(store.sweep(10).await.unwrap().aborted, [(aborted.id, 2)]);
    for job in [&deleted, &aborted] {
        assert_eq!(blobs.get(ItemRef { job: job.id, index: 0 }).await.unwrap(), None);
    }
}

#[tokio::test]
async fn an_upload_that_comes_with_its_job_stays_like_any_other() {
    let server = server_or_skip!();
    let store = store(&server).await;
    let job = job();
    let item = ItemRef { job: job.id, index: 1 };
    store.enqueue(&job, &[urls(1).remove(0), NewItem::carried(NOT_UTF8)]).await.unwrap();
    assert_eq!(time_to_live(&server, item), -1);
    store.delete(&tenant(), &job.id).await.unwrap();
    assert_eq!(store.blobs().get(item).await.unwrap(), None);
}

#[tokio::test]
async fn a_crash_takes_a_job_with_its_bytes_or_neither() {
    let mut server = server_or_skip!();
    let (first, second) = (job(), job());
    let upload = NewItem::carried(vec![7; 10_000].into());
    let before = {
        let store = store(&server).await;
        store.enqueue(&first, std::slice::from_ref(&upload)).await.unwrap();
        let before = server.appended();
        store.enqueue(&second, &[upload]).await.unwrap();
        before
    };
    let written = server.appended() - before;
    assert!(written > 10_000, "{written} bytes");
    // Of what the second job wrote, half is missing.
    server.crash(written / 2);
    let store = store(&server).await;
    assert_eq!(store.existing(&[first.id, second.id]).await.unwrap(), [first.id]);
    let stored = |job| ItemRef { job, index: 0 };
    assert!(store.blobs().get(stored(first.id)).await.unwrap().is_some());
    assert_eq!(store.blobs().get(stored(second.id)).await.unwrap(), None);
}

#[tokio::test]
async fn a_job_is_not_acknowledged_while_redis_hides_whether_it_is_written() {
    let server = server_or_skip!();
    let store = store(&server).await;
    let told: String = server.ask("INFO persistence");
    assert!(told.contains("\naof_pending_bio_fsync:"), "{told}");
    let _: String = server.ask("ACL SETUSER default -info");
    let job = job();
    let answer = store.enqueue(&job, &urls(1)).await;
    assert!(answer.is_err(), "{answer:?}");
    // The caller is told nothing, and tries again.
    let _: String = server.ask("ACL SETUSER default +info");
    assert!(!store.enqueue(&job, &urls(1)).await.unwrap().is_created());
}

#[tokio::test]
async fn an_upload_and_its_job_cost_one_round_trip() {
    let server = server_or_skip!();
    let turns = Turns::before(server.socket());
    let options = RedisOptions { url: turns.url(), ..options(&server, Clock::Store) };
    let store = RedisStore::connect(options).await.unwrap();
    // From here on the server knows the script.
    store.enqueue(&job(), &[NewItem::carried(NOT_UTF8)]).await.unwrap();
    let before = turns.taken();
    let items = vec![NewItem::carried(NOT_UTF8); 20];
    for count in [1, 20] {
        store.enqueue(&job(), &items[..count]).await.unwrap();
    }
    assert_eq!(turns.taken() - before, 2);
}

#[tokio::test]
async fn an_ended_job_and_its_results_cost_one_round_trip() {
    let server = server_or_skip!();
    let turns = Turns::before(server.socket());
    let options = RedisOptions { url: turns.url(), ..options(&server, Clock::Store) };
    let store = RedisStore::connect(options).await.unwrap();
    let job = job();
    store.enqueue(&job, &urls(1)).await.unwrap();
    let held = claim(&store, 1).await;
    store.complete(&[(held[0].lease.clone(), ItemOutcome::Canceled)]).await.unwrap();
    let before = turns.taken();
    let (_, items) = store.find_ended(&tenant(), &job.id, 0, 1_000).await.unwrap();
    assert_eq!((items.len(), turns.taken() - before), (1, 1));
}
