//! The images of a small job go to the store with it, those of a larger one
//! before it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::http::StatusCode;
use aisle_api::ApiSettings;
use aisle_shared::blob::{BlobError, BlobStore, FileBlobs, SqliteBlobs};
use aisle_shared::domain::{ItemRef, JobId};
use aisle_shared::store::StoreLimits;
use async_trait::async_trait;
use bytes::Bytes;
use tempfile::TempDir;

use crate::rig::{MODEL, Rig, form, get, send};

/// Blobs beside the jobs, and how many came before their job.
struct Counted {
    blobs: SqliteBlobs,
    puts: AtomicUsize,
    _folder: TempDir,
}

#[async_trait]
impl BlobStore for Counted {
    async fn admits(&self) -> Result<(), BlobError> {
        self.blobs.admits().await
    }

    fn goes_with_job(&self, bytes: usize) -> bool {
        self.blobs.goes_with_job(bytes)
    }

    async fn put(&self, item: ItemRef, bytes: Bytes) -> Result<(), BlobError> {
        self.puts.fetch_add(1, Ordering::SeqCst);
        self.blobs.put(item, bytes).await
    }

    async fn get(&self, item: ItemRef) -> Result<Option<Bytes>, BlobError> {
        self.blobs.get(item).await
    }

    async fn delete(&self, items: &[ItemRef]) -> Result<(), BlobError> {
        self.blobs.delete(items).await
    }

    async fn delete_job(&self, job: JobId, items: u32) -> Result<(), BlobError> {
        self.blobs.delete_job(job, items).await
    }

    async fn aged_jobs(&self, limit: usize) -> Result<Vec<JobId>, BlobError> {
        self.blobs.aged_jobs(limit).await
    }
}

/// An API whose store keeps the uploads too.
async fn rig(limits: StoreLimits) -> (Rig, Arc<Counted>) {
    let mut rig = Rig::within(ApiSettings::default(), limits);
    rig.announce(&[MODEL]).await;
    let folder = tempfile::tempdir().unwrap();
    let files = FileBlobs::open(folder.path()).unwrap();
    let blobs = SqliteBlobs::new(Arc::clone(&rig.store), files);
    let blobs = Arc::new(Counted { blobs, puts: AtomicUsize::new(0), _folder: folder });
    rig.state.blobs = Arc::<Counted>::clone(&blobs);
    (rig, blobs)
}

/// Images of these sizes, each of other bytes. Only one that is alone in its
/// job is looked at.
fn images(sizes: &[usize]) -> Vec<Vec<u8>> {
    (0..).zip(sizes).map(|(byte, size)| vec![byte; *size]).collect()
}

#[actix_web::test]
async fn only_what_is_too_much_for_one_step_is_stored_before_its_job() {
    let (rig, blobs) = rig(StoreLimits::of_items(10_000)).await;
    let app = rig.app().await;
    for (sizes, before) in [
        (vec![10, 20, 30], 0),
        (vec![100_000; 10], 0),
        (vec![100_000; 11], 11),
        (vec![10, 300_000, 20], 3),
        (vec![10; 200], 0),
        (vec![10; 201], 201),
    ] {
        let puts = blobs.puts.load(Ordering::SeqCst);
        let images = images(&sizes);
        let parts: Vec<_> =
            images.iter().map(|image| ("image", Some("a"), image.as_slice())).collect();
        let answer = send(&app, form(&parts)).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        assert_eq!(blobs.puts.load(Ordering::SeqCst) - puts, before, "{} images", sizes.len());
        let job: JobId = answer.json()["id"].as_str().unwrap().parse().unwrap();
        for (index, image) in (0..).zip(&images) {
            let stored = blobs.get(ItemRef { job, index }).await.unwrap();
            assert_eq!(stored.as_deref(), Some(image.as_slice()), "{index} of {}", sizes.len());
        }
        let found = get(&app, answer.header("location").unwrap()).await;
        assert_eq!(found.body, answer.body);
        assert_eq!(found.header("etag"), answer.header("etag"));
    }
}

#[actix_web::test]
async fn a_job_refused_by_the_store_leaves_no_image_behind() {
    let limits = StoreLimits { items: 9, tenant_items: 9, upload_bytes: 50 };
    let (rig, blobs) = rig(limits).await;
    let app = rig.app().await;
    let images = images(&[30, 30]);
    let parts: Vec<_> = images.iter().map(|image| ("image", Some("a"), image.as_slice())).collect();
    let refused = send(&app, form(&parts)).await;
    assert_eq!(refused.problem(), (503, "uploads_full".to_owned()));
    assert_eq!(blobs.puts.load(Ordering::SeqCst), 0, "nothing that had to be removed");
}
