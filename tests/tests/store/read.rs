//! What callers see: their own jobs and results, page by page.

use std::collections::HashSet;
use std::time::Duration;

use aisle_shared::domain::{ItemOutcome, Job, JobId, JobStatus, NewJob, TenantId};
use aisle_shared::store::{Found, JobFilter, ListPosition};
use aisle_tests::fixtures::{answer, job, job_of, undecodable};

use crate::world::{World, is_not_found, other_model, stranger};

async fn page(
    world: &World,
    tenant: &TenantId,
    after: Option<ListPosition>,
    limit: usize,
) -> (Vec<JobId>, Option<ListPosition>) {
    let page = world.store.list(tenant, &JobFilter::default(), after, limit).await.unwrap();
    assert!(page.jobs.len() <= limit);
    (page.jobs.into_iter().map(|job| job.id).collect(), page.next)
}

/// Every job that passes the filter, over as many pages as it takes.
async fn listed(world: &World, tenant: &TenantId, filter: &JobFilter, limit: usize) -> Vec<Job> {
    let mut all = Vec::new();
    let mut after = None;
    for _ in 0..1_000 {
        let page = world.store.list(tenant, filter, after, limit).await.unwrap();
        all.extend(page.jobs);
        match page.next {
            Some(next) => after = Some(next),
            None => return all,
        }
    }
    panic!("the list has no end");
}

pub(crate) async fn no_tenant_sees_another_ones_jobs(world: &World) {
    let (mine, theirs) = (job(), job_of("stranger"));
    for new in [&mine, &theirs] {
        world.enqueue(new, 1).await;
    }
    world.finish().await;
    for (tenant, own, foreign) in [(&mine.tenant, &mine, &theirs), (&stranger(), &theirs, &mine)] {
        assert!(matches!(world.find(tenant, &own.id).await, Found::Job(_)));
        assert_eq!(world.find(tenant, &foreign.id).await, Found::Unknown);
        let results = world.store.results(tenant, &foreign.id, 0, 10).await;
        assert!(is_not_found(&results), "{results:?}");
        assert_eq!(page(world, tenant, None, 10).await, (vec![own.id], None));
        assert!(is_not_found(&world.store.delete(tenant, &foreign.id).await));
        assert!(is_not_found(&world.store.cancel(tenant, &foreign.id).await));
    }
    assert_eq!(world.find(&mine.tenant, &job().id).await, Found::Unknown);
    assert_eq!(page(world, &"nobody".parse().unwrap(), None, 10).await, (vec![], None));
}

pub(crate) async fn jobs_are_listed_newest_first(world: &World) {
    let mut expected = Vec::new();
    for round in 0..12 {
        let new = job();
        world.enqueue(&new, 1).await;
        expected.insert(0, new.id);
        // Some share their millisecond.
        world.advance(Duration::from_millis(round % 2));
    }
    let all = listed(world, &job().tenant, &JobFilter::default(), 100).await;
    assert_eq!(all.iter().map(|job| job.id).collect::<Vec<_>>(), expected);
    for (new, id) in all.iter().zip(&expected) {
        let Found::Job(found) = world.find(&new.tenant, id).await else {
            panic!("a listed job cannot be found");
        };
        assert_eq!(*found, *new, "the list says otherwise than the job itself");
    }
}

pub(crate) async fn pages_neither_repeat_nor_skip_while_jobs_arrive(world: &World) {
    let tenant = job().tenant;
    let mut before = HashSet::new();
    for round in 0..20 {
        let new = job();
        world.enqueue(&new, 1).await;
        before.insert(new.id);
        world.advance(Duration::from_millis(round % 3));
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let (ids, next) = page(world, &tenant, after, 3).await;
        seen.extend(ids);
        world.enqueue(&job(), 1).await;
        world.finish().await;
        match next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(seen.len(), 20, "a job stood on two pages, or a new one slipped in");
    assert_eq!(seen.into_iter().collect::<HashSet<_>>(), before);
}

pub(crate) async fn the_last_page_has_no_next(world: &World) {
    let tenant = job().tenant;
    for _ in 0..4 {
        world.enqueue(&job(), 1).await;
    }
    let (first, next) = page(world, &tenant, None, 2).await;
    assert_eq!((first.len(), next.is_some()), (2, true));
    let (second, end) = page(world, &tenant, next, 100).await;
    assert_eq!((second.len(), end), (2, None));
}

pub(crate) async fn jobs_are_listed_by_status_and_model(world: &World) {
    let tenant = job().tenant;
    let with_status = |status| JobFilter { status: Some(status), ..JobFilter::default() };
    let mut expected = Vec::new();
    // Backwards, so that no claim for a later job takes an earlier one's items.
    for status in JobStatus::ALL.into_iter().rev() {
        for model in [job().model, other_model()] {
            let new = NewJob { model: model.clone(), ..job() };
            bring_to(world, &new, status).await;
            expected.push((new.id, status, model));
            world.advance(Duration::from_millis(1));
        }
    }
    for status in JobStatus::ALL {
        let ids: Vec<_> = listed(world, &tenant, &with_status(status), 1)
            .await
            .iter()
            .map(|job| job.id)
            .collect();
        let wanted: Vec<_> =
            expected.iter().rev().filter(|each| each.1 == status).map(|each| each.0).collect();
        assert_eq!(ids, wanted, "{status:?}");
    }
    let bags = JobFilter { model: Some(other_model()), ..JobFilter::default() };
    let ids: Vec<_> = listed(world, &tenant, &bags, 2).await.iter().map(|job| job.id).collect();
    let wanted: Vec<_> =
        expected.iter().rev().filter(|each| each.2 == other_model()).map(|each| each.0).collect();
    assert_eq!(ids, wanted);
    let both = JobFilter { model: Some(other_model()), ..with_status(JobStatus::Failed) };
    let ids: Vec<_> = listed(world, &tenant, &both, 10).await.iter().map(|job| job.id).collect();
    let wanted: Vec<_> = expected
        .iter()
        .filter(|each| each.1 == JobStatus::Failed && each.2 == other_model())
        .map(|each| each.0)
        .collect();
    assert_eq!(ids, wanted);
}

/// Brings a fresh job of two items into that status.
async fn bring_to(world: &World, new: &NewJob, status: JobStatus) {
    world.enqueue(new, 2).await;
    let (good, bad) = (answer("Shirts"), ItemOutcome::Failed(undecodable()));
    let outcomes = match status {
        JobStatus::Queued => return,
        JobStatus::Processing => vec![good],
        JobStatus::Succeeded => vec![good.clone(), good],
        JobStatus::Partial => vec![good, bad],
        JobStatus::Failed => vec![bad.clone(), bad],
        JobStatus::Canceled => {
            world.store.cancel(&new.tenant, &new.id).await.unwrap();
            return;
        }
    };
    let claimed = world.store.claim(&crate::world::request(new.model.as_str(), 2)).await.unwrap();
    assert_eq!(claimed.iter().map(|held| held.lease.item.job).collect::<Vec<_>>(), [new.id; 2]);
    for (held, outcome) in claimed.iter().zip(outcomes) {
        world.complete(held, outcome).await;
    }
}

pub(crate) async fn results_are_read_by_place(world: &World) {
    let new = job();
    world.enqueue(&new, 10).await;
    for held in world.claim(8).await {
        if held.lease.item.index != 3 {
            world.complete(&held, answer(&held.lease.item.index.to_string())).await;
        }
    }
    let places = async |first, limit| {
        let results = world.store.results(&new.tenant, &new.id, first, limit).await.unwrap();
        for result in &results {
            assert_eq!(result.outcome, answer(&result.index.to_string()));
        }
        results.into_iter().map(|result| result.index).collect::<Vec<_>>()
    };
    assert_eq!(places(0, 100).await, [0, 1, 2, 4, 5, 6, 7]);
    assert_eq!(places(2, 3).await, [2, 4], "places 2, 3 and 4, of which 3 still runs");
    assert_eq!(places(3, 1).await, [0_u32; 0]);
    assert_eq!(places(8, 100).await, [0_u32; 0]);
    assert_eq!(places(0, 0).await, [0_u32; 0]);
    assert_eq!(places(u32::MAX, u32::MAX).await, [0_u32; 0]);
    assert_eq!(places(1, u32::MAX).await, [1, 2, 4, 5, 6, 7]);
}

pub(crate) async fn the_results_of_a_large_job_come_in_order(world: &World) {
    let new = job();
    aisle_shared::store::submit(&*world.store, &new, &aisle_tests::fixtures::items(1_200))
        .await
        .unwrap();
    let mut batch: Vec<_> = world
        .claim_all()
        .await
        .into_iter()
        .map(|held| (held.lease.clone(), answer(&held.lease.item.index.to_string())))
        .collect();
    batch.reverse();
    for chunk in batch.chunks(200) {
        world.store.complete(chunk).await.unwrap();
    }
    let results = world.store.results(&new.tenant, &new.id, 95, 1_000).await.unwrap();
    let expected: Vec<u32> = (95..1_095).collect();
    assert_eq!(results.iter().map(|result| result.index).collect::<Vec<_>>(), expected);
}

pub(crate) async fn every_visible_change_raises_the_version(world: &World) {
    let new = NewJob { max_attempts: 2, ..job() };
    world.enqueue(&new, 4).await;
    let mut last = world.job(&new).await;
    let mut moved = async |what: &str| {
        let now = world.job(&new).await;
        assert!(now.version > last.version, "{what}: {} then {}", last.version, now.version);
        last = now;
    };
    let claimed = world.claim(3).await;
    moved("the first claim").await;
    world.succeed(&claimed[0]).await;
    moved("a success").await;
    world.complete(&claimed[1], ItemOutcome::Failed(undecodable())).await;
    moved("a failure").await;
    world.store.cancel(&new.tenant, &new.id).await.unwrap();
    moved("the cancellation").await;
    world.complete(&claimed[2], ItemOutcome::Canceled).await;
    moved("the end").await;
}

pub(crate) async fn what_changes_nothing_leaves_the_version(world: &World) {
    let new = job();
    world.enqueue(&new, 1).await;
    let held = world.claim_one().await;
    world.succeed(&held).await;
    let before = world.job(&new).await.version;
    world.succeed(&held).await;
    world.store.cancel(&new.tenant, &new.id).await.unwrap();
    world.store.extend(&[held.lease], crate::world::LEASE).await.unwrap();
    world.store.sweep(10).await.unwrap();
    assert_eq!(world.job(&new).await.version, before);
}

pub(crate) async fn an_ended_job_is_found_with_its_results(world: &World) {
    let (small, large) = (job(), job());
    world.enqueue(&small, 2).await;
    world.enqueue(&large, 60).await;
    let found = async |job: &NewJob, first, limit| {
        world.store.find_ended(&job.tenant, &job.id, first, limit).await.unwrap()
    };
    for new in [&small, &large] {
        let (known, items) = found(new, 0, 1_000).await;
        assert_eq!(known, world.find(&new.tenant, &new.id).await);
        assert_eq!(items, [], "it has not ended");
    }
    world.finish().await;
    for new in [&small, &large] {
        for (first, limit) in [(0, 1_000), (1, 1), (0, 20), (0, 0), (55, 1_000), (10_000, 1)] {
            let (known, items) = found(new, first, limit).await;
            assert_eq!(known, world.find(&new.tenant, &new.id).await);
            let results = world.store.results(&new.tenant, &new.id, first, limit).await.unwrap();
            assert_eq!(items, results, "from {first}, {limit} of {}", new.id);
        }
        let foreign = world.store.find_ended(&stranger(), &new.id, 0, 10).await.unwrap();
        assert_eq!(foreign, (Found::Unknown, Vec::new()));
    }
    world.store.delete(&small.tenant, &small.id).await.unwrap();
    assert_eq!(found(&small, 0, 10).await, (Found::Expired, Vec::new()));
}
