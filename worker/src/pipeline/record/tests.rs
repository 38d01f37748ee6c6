use aisle_shared::blob::FileBlobs;
use aisle_shared::clock::{Clock, ManualClock};
use aisle_shared::domain::{ModelName, NewItem, TenantId, Timestamp, WorkerId};
use aisle_shared::store::ClaimRequest;
use aisle_shared::telemetry::{MetricsHandle, Span, metrics_recorder};
use tempfile::TempDir;

use super::*;
use crate::pipeline::gate::Gate;
use crate::pipeline::held::Held;
use crate::pipeline::tests::{job, store};

/// How long ago every job was submitted.
const AGE: Duration = Duration::from_secs(90);

/// A recorder of endings over a store, beside one of metrics.
struct Rig {
    recorder: Recorder,
    metrics: Box<dyn ::metrics::Recorder>,
    shown: MetricsHandle,
    _folder: TempDir,
}

impl Rig {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let past = u64::try_from(AGE.as_millis()).unwrap();
        let clock = ManualClock::at(Timestamp(Timestamp::now().0 - past));
        let recorder = Recorder {
            store: Arc::new(store(folder.path(), Clock::Manual(clock))),
            blobs: Arc::new(FileBlobs::open(folder.path().join("blobs")).unwrap()),
            give_up: CancellationToken::new(),
            removals: TaskTracker::new(),
        };
        let (metrics, shown) = metrics_recorder().unwrap();
        Self { recorder, metrics: Box::new(metrics), shown, _folder: folder }
    }

    /// A job's items, claimed for the only time that they may be.
    async fn claimed(&self, items: usize) -> Vec<Work> {
        let url = NewItem::at_url("https://shop.example/1.jpg".to_owned());
        let job = job(model());
        self.recorder.store.enqueue(&job, &vec![url; items]).await.unwrap();
        let request = ClaimRequest {
            worker: WorkerId::generate(),
            model: model(),
            max: items,
            lease: Duration::from_secs(60),
            with_content: false,
        };
        let held = Arc::new(Held::default());
        let pass = Gate::default().shared().await;
        let claimed = self.recorder.store.claim(&request).await.unwrap();
        assert_eq!(claimed.len(), items);
        claimed
            .into_iter()
            .map(|claimed| Work {
                hold: held.hold(claimed.lease),
                tenant: claimed.tenant,
                model: model(),
                source: claimed.source,
                content: None,
                leaves_bytes: false,
                options: claimed.options,
                attempt: claimed.attempt,
                created_at: claimed.created_at,
                backoff: Backoff::default(),
                slot: None,
                coming: None,
                flight: None,
                trace: Span::default(),
                log: tracing::Span::none(),
                _pass: pass.clone(),
            })
            .collect()
    }

    /// What metrics show once these endings are recorded.
    async fn shown_after(&self, endings: impl IntoIterator<Item = (Work, Ending)>) -> Vec<String> {
        let _kept = ::metrics::set_default_local_recorder(&*self.metrics);
        let ended = endings.into_iter().map(|(work, ending)| *Ended::new(work, ending));
        self.recorder.record(ended).await;
        self.shown.render().lines().map(str::to_owned).collect()
    }
}

fn model() -> ModelName {
    "flowers".parse().unwrap()
}

fn error() -> ItemError {
    ItemError::new(ErrorCode::Internal, "detail")
}

#[track_caller]
fn assert_lines(shown: &[String], lines: &[&str]) {
    for line in lines {
        assert!(shown.iter().any(|shown| shown == line), "{line}\n{shown:#?}");
    }
}

#[tokio::test]
async fn items_are_counted_and_timed_when_they_end() {
    let rig = Rig::open();
    let works = rig.claimed(2).await;
    let endings = works.into_iter().map(|work| {
        let failed = ItemOutcome::Failed(error());
        (work, Ending::Outcome(failed))
    });
    let shown = rig.shown_after(endings).await;
    assert_lines(
        &shown,
        &[
            r#"aisle_items_finished_total{model="flowers",reason="internal",status="failed"} 2"#,
            r#"aisle_item_duration_seconds_count{model="flowers"} 2"#,
        ],
    );
    let sum = shown
        .iter()
        .find_map(|line| line.strip_prefix(r#"aisle_item_duration_seconds_sum{model="flowers"} "#));
    let seconds: f64 = sum.unwrap().parse().unwrap();
    assert!(seconds >= 2.0 * AGE.as_secs_f64(), "{seconds}");
}

#[tokio::test]
async fn an_item_whose_attempts_are_spent_is_counted_as_a_dead_letter() {
    let rig = Rig::open();
    let works = rig.claimed(1).await;
    let retry = |work| (work, Ending::Retry { after: Duration::ZERO, error: error() });
    let shown = rig.shown_after(works.into_iter().map(retry)).await;
    assert_lines(
        &shown,
        &[
            "aisle_dead_letter_total 1",
            r#"aisle_items_finished_total{model="flowers",reason="internal",status="failed"} 1"#,
        ],
    );
}

#[tokio::test]
async fn an_item_to_be_tried_again_ends_canceled_where_its_job_was() {
    let rig = Rig::open();
    let works = rig.claimed(1).await;
    let job = works[0].item().job;
    rig.recorder.store.cancel(&TenantId::default_tenant(), &job).await.unwrap();
    let retry = |work| (work, Ending::Retry { after: Duration::ZERO, error: error() });
    let shown = rig.shown_after(works.into_iter().map(retry)).await;
    assert_lines(
        &shown,
        &[r#"aisle_items_finished_total{model="flowers",reason="",status="canceled"} 1"#],
    );
    assert!(!shown.iter().any(|line| line.contains("dead_letter")), "{shown:#?}");
}

#[tokio::test]
async fn an_item_that_had_ended_before_is_not_counted_twice() {
    let rig = Rig::open();
    let works = rig.claimed(1).await;
    let outcome = (works[0].hold.lease().clone(), ItemOutcome::Failed(error()));
    rig.recorder.store.complete(&[outcome]).await.unwrap();
    let again = |work| (work, Ending::Outcome(ItemOutcome::Failed(error())));
    let shown = rig.shown_after(works.into_iter().map(again)).await;
    assert!(!shown.iter().any(|line| line.contains("aisle_item")), "{shown:#?}");
}
