//! A shop with a store, blobs and workers in one process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aisle_shared::blob::{BlobStore, FileBlobs};
use aisle_shared::clock::Clock;
use aisle_shared::disk::Reserve;
use aisle_shared::domain::{
    ItemRef, ItemResult, ItemSource, Job, JobId, JobOptions, ModelName, NewItem, NewJob, Priority,
    TenantId,
};
use aisle_shared::fetch::{FetchPolicy, Fetcher};
use aisle_shared::store::{Found, SqliteOptions, SqliteStore, Store, StoreLimits, submit};
use aisle_worker::decoder::{DecoderSettings, Isolation};
use aisle_worker::tune::TuningSettings;
use aisle_worker::{Worker, WorkerError, WorkerSettings};
use bytes::Bytes;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::real::Real;

const DEADLINE: Duration = Duration::from_secs(120);

pub(crate) const MODEL: &str = "squeezenet-1.1";

pub(crate) struct Shop {
    pub(crate) real: Real,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) blobs: Arc<dyn BlobStore>,
    folder: TempDir,
}

/// What a caller sends.
pub(crate) enum Sent {
    Photograph(Bytes),
    /// An upload whose bytes are gone.
    Nothing,
    Url(&'static str),
}

pub(crate) struct RunningWorker {
    stop: CancellationToken,
    task: JoinHandle<Result<(), WorkerError>>,
}

impl Shop {
    /// An open shop, where the machine has what it needs.
    pub(crate) fn open(clock: Clock) -> Option<Self> {
        let real = Real::find()?;
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteOptions {
            path: folder.path().join("aisle.db"),
            limits: StoreLimits::of_items(10_000),
            reserve: Reserve::NONE,
            ballast: 0,
            clock,
        };
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options).unwrap());
        let blobs: Arc<dyn BlobStore> =
            Arc::new(FileBlobs::open(folder.path().join("blobs")).unwrap());
        Some(Self { real, store, blobs, folder })
    }

    pub(crate) async fn submit(&self, sent: Vec<Sent>) -> JobId {
        let id = JobId::generate();
        let mut items = Vec::new();
        for (index, sent) in (0..).zip(sent) {
            let source = match sent {
                Sent::Url(url) => ItemSource::Url(url.to_owned()),
                Sent::Nothing => ItemSource::Upload,
                Sent::Photograph(bytes) => {
                    self.blobs.put(ItemRef { job: id, index }, bytes).await.unwrap();
                    ItemSource::Upload
                }
            };
            items.push(NewItem { source, bytes: 0, content: None });
        }
        let job = NewJob {
            id,
            tenant: TenantId::default_tenant(),
            weight: 1,
            model: model(),
            priority: Priority::Normal,
            options: JobOptions { top_k: 3, cache: true, accept_precision: None },
            metadata: serde_json::Map::new(),
            max_attempts: 3,
            retention: Duration::from_secs(3600),
            callback: None,
            idempotency: None,
            trace: None,
        };
        submit(self.store.as_ref(), &job, &items).await.unwrap();
        id
    }

    pub(crate) fn work(&self) -> RunningWorker {
        let settings = WorkerSettings::new(
            self.real.models.join(MODEL),
            self.real.library.clone(),
            DecoderSettings::new(Isolation::Here),
            TuningSettings::here(self.folder.path().join("tuning")),
        );
        let worker = Worker::load(settings).unwrap();
        let stop = CancellationToken::new();
        let fetcher = Arc::new(Fetcher::new(FetchPolicy::default()).unwrap());
        let run =
            worker.run(Arc::clone(&self.store), Arc::clone(&self.blobs), fetcher, stop.clone());
        RunningWorker { stop, task: tokio::spawn(run) }
    }

    pub(crate) async fn job(&self, id: JobId) -> Job {
        match self.store.find(&TenantId::default_tenant(), &id).await.unwrap() {
            Found::Job(job) => *job,
            gone @ (Found::Expired | Found::Unknown) => panic!("{gone:?}"),
        }
    }

    /// The job once `reached` holds.
    pub(crate) async fn job_when(&self, id: JobId, reached: impl Fn(&Job) -> bool) -> Job {
        let start = Instant::now();
        loop {
            let mut watch = self.store.watch(&id);
            let job = self.job(id).await;
            if reached(&job) {
                return job;
            }
            assert!(start.elapsed() < DEADLINE, "{job:?}");
            watch.changed(Duration::from_secs(1)).await;
        }
    }

    pub(crate) async fn ended(&self, id: JobId) -> Job {
        self.job_when(id, |job| job.status.is_terminal()).await
    }

    pub(crate) async fn results(&self, id: JobId) -> Vec<ItemResult> {
        self.store.results(&TenantId::default_tenant(), &id, 0, 1000).await.unwrap()
    }
}

impl RunningWorker {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(DEADLINE, self.task).await.unwrap().unwrap().unwrap();
    }
}

pub(crate) fn model() -> ModelName {
    MODEL.parse().unwrap()
}
