//! A worker without decoders says so, and leaves its work to others.

use std::num::NonZeroUsize;
use std::sync::Arc;

use aisle_shared::blob::{BlobStore, FileBlobs};
use aisle_shared::domain::{ItemRef, NewItem, NewJob};
use aisle_shared::fetch::{FetchPolicy, Fetcher};
use aisle_shared::store::{Found, Store};
use aisle_shared::vitals::Illness;
use aisle_tests::fixtures::{job, model};
use aisle_tests::harness::{Backend, Harness};
use aisle_tests::pictures::{Colour, picture};
use aisle_tests::{places, tiny_model, wait};
use aisle_worker::decoder::Program;
use aisle_worker::tune::TuningSettings;
use aisle_worker::{Worker, WorkerSettings};
use image::ImageFormat;
use tokio_util::sync::CancellationToken;

use crate::crashes::signal;
use crate::rig::{noted, notes, settings};

/// Submits a picture.
async fn submit(store: &dyn Store, blobs: &dyn BlobStore) -> NewJob {
    let job = NewJob { model: model("tiny"), ..job() };
    let bytes = picture(Colour::Red, 64, 48, ImageFormat::Jpeg);
    let item = NewItem::stored(bytes.len() as u64);
    blobs.put(ItemRef { job: job.id, index: 0 }, bytes.into()).await.unwrap();
    store.enqueue(&job, &[item]).await.unwrap();
    job
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_decoders_is_not_ready_and_claims_nothing_until_it_has_one() {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    tiny_model::write(&models, "tiny").unwrap();
    let (children, shell) = (folder.path().join("children"), folder.path().join("shell"));
    std::os::unix::fs::symlink("/bin/sh", &shell).unwrap();
    let decoder = settings(Program { path: shell.clone(), ..noted(&children) });
    let tuning = TuningSettings::here(folder.path().join("tuning"));
    let defaults = WorkerSettings::new(models, places::runtime_library(), decoder, tuning);
    let one = NonZeroUsize::MIN;
    let worker = Worker::load(WorkerSettings { threads: one, ..defaults }).unwrap();
    let vitals = worker.vitals();
    let harness = Harness::new(Backend::Sqlite).await.unwrap();
    let store = Arc::clone(&harness.store);
    let blobs: Arc<dyn BlobStore> = Arc::new(FileBlobs::open(folder.path().join("blobs")).unwrap());
    let fetcher = Arc::new(Fetcher::new(FetchPolicy::default()).unwrap());
    let stop = CancellationToken::new();
    let run = worker.run(Arc::clone(&store), Arc::clone(&blobs), fetcher, stop.clone());
    let run = tokio::spawn(run);
    wait::until("a ready worker", || async { vitals.ready().ok() }).await;

    std::fs::remove_file(&shell).unwrap();
    signal("-KILL", notes(&children)[0]);
    let first = submit(&*store, &*blobs).await;
    let illness = wait::until("the illness", || async { vitals.ready().err() }).await;
    assert!(matches!(illness, Illness::NoDecoder(_)), "{illness}");
    assert!(illness.to_string().contains("cannot be started"), "{illness}");
    assert_eq!(vitals.alive(), Ok(()));

    // The first picture is handed back in the end; the second is not even taken.
    let second = submit(&*store, &*blobs).await;
    wait::until("the first picture's return", || async {
        let running = store.stats().await.unwrap().running;
        assert!(running <= 1, "it claims what it cannot decode");
        (running == 0).then_some(())
    })
    .await;
    assert!(matches!(vitals.ready(), Err(Illness::NoDecoder(_))));

    // No picture tries it: the worker itself looks again.
    std::os::unix::fs::symlink("/bin/sh", &shell).unwrap();
    wait::until("a ready worker", || async { vitals.ready().ok() }).await;
    for job in [&first, &second] {
        wait::until("the job's end", || async {
            let Found::Job(job) = store.find(&job.tenant, &job.id).await.unwrap() else {
                panic!("the job is gone")
            };
            (job.items.succeeded == 1).then_some(())
        })
        .await;
    }
    stop.cancel();
    run.await.unwrap().unwrap();
}
