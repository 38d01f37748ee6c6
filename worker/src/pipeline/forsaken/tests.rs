use aisle_shared::blob::{FileBlobs, SqliteBlobs};
use aisle_shared::clock::Clock;
use aisle_shared::domain::{
    Activation, Job, JobStatus, ModelCard, NewItem, NewJob, Timestamp, WorkerCard,
};
use aisle_shared::store::Found;
use tempfile::TempDir;

use super::*;
use crate::pipeline::tests::{job, store};

const LONG: Duration = Duration::from_secs(3_600);

/// One that looks over a store of its own.
struct Rig {
    forsaken: Forsaken,
    since: HashMap<ModelName, Instant>,
    _folder: TempDir,
}

impl Rig {
    fn with_patience(patience: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(store(folder.path(), Clock::Store));
        let files = FileBlobs::open(folder.path().join("blobs")).unwrap();
        let blobs = Arc::new(SqliteBlobs::new(Arc::clone(&store), files));
        let worker = WorkerId::generate();
        let (lease, every) = (Duration::from_secs(60), Duration::ZERO);
        let forsaken = Forsaken { worker, store, blobs, lease, every, patience };
        Self { forsaken, since: HashMap::new(), _folder: folder }
    }

    async fn looks(&mut self) {
        self.forsaken.step(&mut self.since).await.unwrap();
    }

    async fn serves(&self, model: &ModelName) {
        let card = ModelCard {
            name: model.clone(),
            version: "1".to_owned(),
            labels: Vec::new(),
            input_size: [1, 1],
            activation: Activation::Softmax,
            provider: "cpu".to_owned(),
            precision: "fp32".to_owned(),
            accept: Vec::new(),
            trouble: None,
        };
        let worker = WorkerCard {
            id: WorkerId::generate(),
            pid: 1,
            started_at: Timestamp::now(),
            models: vec![card],
        };
        self.forsaken.store.announce(&worker, LONG).await.unwrap();
    }

    async fn submits(&self, model: &ModelName, items: usize) -> NewJob {
        let job = job(model.clone());
        let image = NewItem::carried("an image".into());
        self.forsaken.store.enqueue(&job, &vec![image; items]).await.unwrap();
        job
    }

    async fn job(&self, job: &NewJob) -> Job {
        let found = self.forsaken.store.find(&job.tenant, &job.id).await.unwrap();
        let Found::Job(job) = found else { panic!("{found:?}") };
        *job
    }
}

fn model(name: &str) -> ModelName {
    name.parse().unwrap()
}

#[tokio::test]
async fn what_waits_for_a_model_that_nobody_has_ends_with_its_images() {
    let mut rig = Rig::with_patience(Duration::ZERO);
    let job = rig.submits(&model("gone"), MAX + 1).await;
    rig.looks().await;
    let found = rig.job(&job).await;
    assert_eq!((found.status, found.items.failed), (JobStatus::Failed, 101));
    let results = rig.forsaken.store.results(&job.tenant, &job.id, 0, 1).await.unwrap();
    let ItemOutcome::Failed(error) = &results[0].outcome else { panic!("{results:?}") };
    assert_eq!(error.code, ErrorCode::ModelRemoved);
    let item = ItemRef { job: job.id, index: 100 };
    assert_eq!(rig.forsaken.blobs.get(item).await.unwrap(), None);
}

#[tokio::test]
async fn what_waits_for_a_model_that_somebody_has_goes_on_waiting() {
    let mut rig = Rig::with_patience(Duration::ZERO);
    rig.serves(&model("here")).await;
    let (here, gone) = (rig.submits(&model("here"), 1).await, rig.submits(&model("gone"), 1).await);
    rig.looks().await;
    assert_eq!(rig.job(&here).await.status, JobStatus::Queued);
    assert_eq!(rig.job(&gone).await.status, JobStatus::Failed);
}

#[tokio::test]
async fn a_model_that_comes_back_in_time_loses_nothing() {
    let mut rig = Rig::with_patience(LONG);
    let job = rig.submits(&model("late"), 1).await;
    rig.looks().await;
    assert!(rig.since.contains_key(&model("late")));
    rig.serves(&model("late")).await;
    // Nobody has patience any more, and it no longer matters.
    rig.forsaken.patience = Duration::ZERO;
    rig.looks().await;
    assert!(rig.since.is_empty());
    assert_eq!(rig.job(&job).await.status, JobStatus::Queued);
}

#[tokio::test]
async fn patience_begins_anew_once_nothing_waits() {
    let mut rig = Rig::with_patience(LONG);
    let job = rig.submits(&model("late"), 1).await;
    rig.looks().await;
    rig.forsaken.store.cancel(&job.tenant, &job.id).await.unwrap();
    rig.looks().await;
    assert!(rig.since.is_empty());
}
