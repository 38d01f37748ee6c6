use std::time::Duration;

use aisle_shared::clock::{Clock, ManualClock};
use aisle_shared::domain::{
    ErrorCode, ItemOutcome, ItemRef, JobStatus, TenantId, Timestamp, WorkerId,
};
use aisle_shared::store::ClaimRequest;
use bytes::Bytes;

use crate::shop::{MODEL, Sent, Shop, model};

fn photographs(shop: &Shop, count: usize) -> Vec<Sent> {
    shop.real.some_photographs(count).into_iter().map(Sent::Photograph).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_item_ends_and_a_bad_one_costs_only_itself() {
    let Some(shop) = Shop::open(Clock::Store) else { return };
    let mut sent = photographs(&shop, 9);
    sent.insert(2, Sent::Photograph(Bytes::from_static(b"not an image at all")));
    sent.insert(5, Sent::Nothing);
    sent.insert(7, Sent::Url("http://127.0.0.1/private.jpg"));
    let id = shop.submit(sent).await;
    let worker = shop.work();
    let job = shop.ended(id).await;

    assert_eq!(job.status, JobStatus::Partial);
    assert_eq!((job.items.succeeded, job.items.failed, job.items.canceled), (9, 3, 0));
    for result in shop.results(id).await {
        let code = match result.outcome {
            ItemOutcome::Failed(error) => Some(error.code),
            ItemOutcome::Canceled => panic!("nobody canceled"),
            ItemOutcome::Succeeded(answer) => {
                assert_eq!(answer.predictions.len(), 3);
                assert!(answer.predictions.is_sorted_by(|a, b| a.score >= b.score));
                assert_eq!(answer.model.as_str(), MODEL);
                assert!(answer.timings.inference_ms > 0.0);
                None
            }
        };
        let expected = match result.index {
            2 => Some(ErrorCode::UnsupportedType),
            5 => Some(ErrorCode::BlobMissing),
            7 => Some(ErrorCode::UrlNotAllowed),
            _ => None,
        };
        assert_eq!(code, expected, "item {}", result.index);
    }
    worker.stop().await;
    for index in 0..12 {
        let left = shop.blobs.get(ItemRef { job: id, index }).await.unwrap();
        assert!(left.is_none(), "the image of item {index} is still there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stopping_worker_leaves_another_ends() {
    let Some(shop) = Shop::open(Clock::Store) else { return };
    let id = shop.submit(photographs(&shop, 120)).await;
    let worker = shop.work();
    let job = shop.job_when(id, |job| job.items.ended() > 0).await;
    worker.stop().await;
    let between = shop.job(id).await;
    assert!(between.items.ended() < 120, "it was to stop in the middle: {job:?}");
    assert_eq!(shop.store.stats().await.unwrap().running, 0, "nothing is held any more");

    let worker = shop.work();
    let job = shop.ended(id).await;
    assert_eq!((job.status, job.items.succeeded), (JobStatus::Succeeded, 120));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_job_ends_canceled_and_keeps_what_was_answered() {
    let Some(shop) = Shop::open(Clock::Store) else { return };
    let id = shop.submit(photographs(&shop, 120)).await;
    let worker = shop.work();
    shop.job_when(id, |job| job.items.succeeded > 0).await;
    shop.store.cancel(&TenantId::default_tenant(), &id).await.unwrap();
    let job = shop.ended(id).await;
    assert_eq!(job.status, JobStatus::Canceled);
    assert!(job.items.succeeded > 0 && job.items.canceled > 0, "{:?}", job.items);
    assert_eq!(job.items.ended(), 120);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_took_a_worker_down_is_done_alone() {
    let clock = ManualClock::at(Timestamp::now());
    let Some(shop) = Shop::open(Clock::Manual(clock.clone())) else { return };
    let id = shop.submit(photographs(&shop, 10)).await;
    let lease = Duration::from_secs(10);
    let dead = ClaimRequest {
        worker: WorkerId::generate(),
        model: model(),
        max: 2,
        lease,
        with_content: false,
    };
    assert_eq!(shop.store.claim(&dead).await.unwrap().len(), 2);
    clock.advance(lease * 2);
    assert_eq!(shop.store.reap(10).await.unwrap().requeued.len(), 2);

    let worker = shop.work();
    let job = shop.ended(id).await;
    assert_eq!((job.status, job.items.succeeded), (JobStatus::Succeeded, 10));
    for result in shop.results(id).await.into_iter().take(2) {
        let ItemOutcome::Succeeded(answer) = result.outcome else { panic!("{result:?}") };
        assert_eq!(answer.batch_size, 1, "item {} had company", result.index);
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_announced_while_it_runs() {
    let Some(shop) = Shop::open(Clock::Store) else { return };
    let worker = shop.work();
    let id = shop.submit(photographs(&shop, 1)).await;
    shop.ended(id).await;
    let models = shop.store.models().await.unwrap();
    assert_eq!(models[0].card.name.as_str(), MODEL);
    assert_eq!((models[0].card.labels.len(), models[0].live_workers), (1000, 1));
    worker.stop().await;
    assert_eq!(shop.store.models().await.unwrap()[0].live_workers, 0);
}
