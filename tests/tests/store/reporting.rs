//! Jobs are counted when they end, whoever ended them.

use std::sync::OnceLock;

use aisle_shared::domain::{ItemOutcome, JobId, ModelName, NewJob};
use aisle_shared::store::ClaimRequest;
use aisle_shared::telemetry::{MetricsHandle, install_metrics};
use aisle_tests::fixtures::{answer, job, undecodable};

use crate::world::{ALL, LEASE, World, request};

/// The metrics of this process, which all its tests share.
fn shown() -> String {
    static METRICS: OnceLock<MetricsHandle> = OnceLock::new();
    METRICS.get_or_init(|| install_metrics().unwrap()).render()
}

/// A job for a model of its own, by which its metrics are told from others'.
fn job_of_its_own() -> NewJob {
    // Metrics are kept from here on.
    shown();
    let model: ModelName = format!("m-{}", JobId::generate()).parse().unwrap();
    NewJob { model, ..job() }
}

fn ended(job: &NewJob, status: &str) -> bool {
    let (model, shown) = (&job.model, shown());
    let counted = format!(r#"aisle_jobs_finished_total{{model="{model}",status="{status}"}} 1"#);
    let timed = format!(r#"aisle_job_duration_seconds_count{{model="{model}"}} 1"#);
    let has = |wanted: &str| shown.lines().any(|line| line == wanted);
    has(&counted) && has(&timed)
}

fn is_unreported(job: &NewJob) -> bool {
    !shown().lines().any(|line| line.contains("aisle_job") && line.contains(job.model.as_str()))
}

fn claim_of(job: &NewJob) -> ClaimRequest {
    ClaimRequest { model: job.model.clone(), ..request("shoes", ALL) }
}

pub(crate) async fn a_job_is_counted_once_when_its_last_item_is_recorded(world: &World) {
    let new = job_of_its_own();
    world.enqueue(&new, 2).await;
    let claimed = world.store.claim(&claim_of(&new)).await.unwrap();
    world.complete(&claimed[0], answer("Shirts")).await;
    assert!(is_unreported(&new));
    for _ in 0..2 {
        world.complete(&claimed[1], ItemOutcome::Failed(undecodable())).await;
        assert!(ended(&new, "partial"), "{}", shown());
    }
}

pub(crate) async fn a_canceled_job_is_counted(world: &World) {
    let new = job_of_its_own();
    world.enqueue(&new, 2).await;
    for _ in 0..2 {
        world.store.cancel(&new.tenant, &new.id).await.unwrap();
        assert!(ended(&new, "canceled"), "{}", shown());
    }
}

pub(crate) async fn a_job_that_the_reaper_ends_is_counted(world: &World) {
    let new = NewJob { max_attempts: 1, ..job_of_its_own() };
    world.enqueue(&new, 1).await;
    assert_eq!(world.store.claim(&claim_of(&new)).await.unwrap().len(), 1);
    assert_eq!(world.crash().await.dead.len(), 1);
    assert!(ended(&new, "failed"), "{}", shown());
    // The time is the store's own, so the test's clock is what it shows.
    let sum =
        format!(r#"aisle_job_duration_seconds_sum{{model="{}"}} {}"#, new.model, LEASE.as_secs());
    assert!(shown().lines().any(|line| line == sum), "{sum}\n{}", shown());
}

pub(crate) async fn a_canceled_job_whose_last_item_is_handed_back_is_counted(world: &World) {
    let new = job_of_its_own();
    world.enqueue(&new, 1).await;
    let claimed = world.store.claim(&claim_of(&new)).await.unwrap();
    world.store.cancel(&new.tenant, &new.id).await.unwrap();
    assert!(is_unreported(&new));
    world.store.release(&[claimed[0].lease.clone()]).await.unwrap();
    assert!(ended(&new, "canceled"), "{}", shown());
}
