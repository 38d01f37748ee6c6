//! Uploads expire until a job names them, stay until it is gone, and go
//! with it.

use bytes::Bytes;

use super::*;
use crate::blob::{BlobStore, ORPHAN_AGE};
use crate::domain::ItemRef;

const UPLOAD: NewItem = NewItem { source: ItemSource::Upload, bytes: 5 };
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
