//! Handing out items: what a worker gets, and when.

use std::collections::HashSet;
use std::time::Duration;

use aisle_shared::domain::{ItemSource, JobStatus, NewJob};
use aisle_shared::store::{ClaimRequest, Claimed, Retried, submit};
use aisle_tests::fixtures::{items, job, job_of, unreachable_url};

use crate::world::{ALL, LEASE, World, indexes, jobs, other_model, request, worker};

pub(crate) async fn an_empty_store_has_nothing_to_hand_out(world: &World) {
    assert_eq!(world.claim(10).await, []);
    assert_eq!(world.store.reap(10).await.unwrap(), aisle_shared::store::Reaped::default());
}

pub(crate) async fn a_claimed_item_carries_all_that_a_worker_needs(world: &World) {
    let mut new = job();
    (new.options.top_k, new.max_attempts) = (9, 4);
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    new.trace = Some(trace.parse().unwrap());
    let created_at = world.clock.now();
    world.enqueue(&new, 1).await;
    world.advance(Duration::from_secs(1));
    let held = world.claim_one().await;
    let expected = Claimed {
        lease: held.lease.clone(),
        tenant: new.tenant.clone(),
        source: ItemSource::Url("https://shop.test/0.jpg".to_owned()),
        content: None,
        options: new.options.clone(),
        attempt: 1,
        max_attempts: 4,
        solo: false,
        created_at,
        trace: new.trace.clone(),
    };
    assert_eq!(held, expected);
    assert_eq!((held.lease.item.job, held.lease.item.index), (new.id, 0));
}

pub(crate) async fn the_first_claim_starts_the_job(world: &World) {
    let new = job();
    world.enqueue(&new, 2).await;
    world.advance(Duration::from_secs(3));
    let started_at = world.clock.now();
    world.claim_one().await;
    world.advance(Duration::from_secs(3));
    world.claim_one().await;
    let found = world.job(&new).await;
    assert_eq!((found.status, found.started_at), (JobStatus::Processing, Some(started_at)));
}

pub(crate) async fn items_of_a_tenant_come_in_the_order_submitted(world: &World) {
    let submitted = [job(), job(), job()];
    for new in &submitted {
        world.enqueue(new, 3).await;
    }
    let mut claimed = Vec::new();
    for max in [1, 2, 5, 10] {
        claimed.extend(world.claim(max).await);
    }
    let expected: Vec<_> = submitted.iter().flat_map(|new| [new.id; 3]).collect();
    assert_eq!(jobs(&claimed), expected);
    assert_eq!(indexes(&claimed), [0, 1, 2, 0, 1, 2, 0, 1, 2]);
}

pub(crate) async fn no_more_than_max_are_handed_out(world: &World) {
    world.enqueue(&job(), 10).await;
    for (max, expected) in [(0, 0), (1, 1), (4, 4), (100, 5), (100, 0)] {
        assert_eq!(world.claim(max).await.len(), expected);
    }
}

pub(crate) async fn each_model_has_its_own_work(world: &World) {
    let shoes = job();
    let bags = NewJob { model: other_model(), ..job() };
    world.enqueue(&shoes, 2).await;
    world.enqueue(&bags, 3).await;
    let claimed = world.store.claim(&request("bags", ALL)).await.unwrap();
    assert_eq!(jobs(&claimed), [bags.id; 3]);
    assert_eq!(world.store.claim(&request("hats", ALL)).await.unwrap(), []);
    assert_eq!(jobs(&world.claim(ALL).await), [shoes.id; 2]);
}

pub(crate) async fn every_claim_has_a_token_of_its_own(world: &World) {
    let new = NewJob { max_attempts: 50, ..job() };
    world.enqueue(&new, 5).await;
    let mut tokens = HashSet::new();
    for _ in 0..10 {
        let claimed = world.claim_all().await;
        assert_eq!(claimed.len(), 5);
        for held in &claimed {
            assert!(tokens.insert(held.lease.token.clone()), "{:?} again", held.lease.token);
            let retried = world.store.retry(&held.lease, Duration::ZERO, &unreachable_url()).await;
            assert_eq!(retried.unwrap(), Retried::Delayed);
        }
    }
}

pub(crate) async fn sixteen_claimers_share_five_thousand_items_without_overlap(world: &World) {
    for name in ["a", "b", "c", "d", "e"] {
        submit(&*world.store, &job_of(name), &items(1_000)).await.unwrap();
    }
    let mut claimers = Vec::new();
    for number in 0..16 {
        let store = match number % 4 {
            0 => world.another_handle().await.unwrap(),
            _ => world.store.clone(),
        };
        let request =
            ClaimRequest { worker: worker(&format!("w-{number}")), ..request("shoes", 17) };
        claimers.push(tokio::spawn(async move {
            let mut mine = Vec::new();
            loop {
                let claimed = store.claim(&request).await.unwrap();
                if claimed.is_empty() {
                    return mine;
                }
                mine.extend(claimed.into_iter().map(|held| held.lease.item));
            }
        }));
    }
    let mut claimed = Vec::new();
    for claimer in claimers {
        claimed.extend(claimer.await.unwrap());
    }
    assert_eq!(claimed.len(), 5_000);
    assert_eq!(claimed.into_iter().collect::<HashSet<_>>().len(), 5_000);
    assert_eq!(world.store.stats().await.unwrap().running, 5_000);
}

pub(crate) async fn a_delayed_item_comes_when_due_and_not_before(world: &World) {
    let delay = Duration::from_secs(30);
    world.enqueue(&job(), 1).await;
    let held = world.claim_one().await;
    world.store.retry(&held.lease, delay, &unreachable_url()).await.unwrap();
    world.advance(delay - Duration::from_millis(1));
    assert_eq!(world.claim(10).await, []);
    world.advance(Duration::from_millis(1));
    assert_eq!(world.claim_one().await.attempt, 2);
}

pub(crate) async fn items_delayed_into_the_future_do_not_hide_ready_ones(world: &World) {
    for _ in 0..2 {
        world.enqueue(&job(), 200).await;
    }
    for held in world.claim_all().await {
        let retried =
            world.store.retry(&held.lease, Duration::from_secs(60), &unreachable_url()).await;
        assert_eq!(retried.unwrap(), Retried::Delayed);
    }
    let late = job();
    world.enqueue(&late, 1).await;
    assert_eq!(jobs(&world.claim(1).await), [late.id]);
    assert_eq!(world.claim(1).await, []);
}

pub(crate) async fn many_items_due_at_once_all_come(world: &World) {
    for _ in 0..2 {
        world.enqueue(&job(), 200).await;
    }
    for held in world.claim_all().await {
        world.store.retry(&held.lease, LEASE, &unreachable_url()).await.unwrap();
    }
    world.advance(LEASE);
    let mut claimed = HashSet::new();
    // A claim may promote a bounded number only, so it may take a few.
    for _ in 0..20 {
        claimed.extend(world.claim(ALL).await.into_iter().map(|held| held.lease.item));
    }
    assert_eq!(claimed.len(), 400);
}
