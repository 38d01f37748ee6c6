//! Recording outcomes: once, by the holder only, never overwritten.

use aisle_shared::domain::{
    ErrorCode, ItemError, ItemOutcome, ItemRef, JobStatus, NewJob, Prediction, StageTimings,
};
use aisle_shared::store::{Lease, LeaseToken, MAX_OUTCOME_BYTES, Recorded};
use aisle_tests::fixtures::{RETENTION, answer, job, undecodable, unreachable_url};

use crate::world::{World, complete, is_invalid, leases};

const STORED: Recorded = Recorded::Stored { job_ended: None };

pub(crate) async fn an_outcome_is_kept_as_it_was_recorded(world: &World) {
    let new = job();
    world.enqueue(&new, 3).await;
    let claimed = world.claim(3).await;
    let ItemOutcome::Succeeded(mut full) = answer("Größe \u{0} \"42½\" 👟") else {
        panic!("an answer is a success");
    };
    full.predictions = [0.1_f32, 1.0 / 3.0, f32::MIN_POSITIVE, 0.0, 1.0]
        .map(|score| Prediction { label: "a".into(), path: vec!["x".into(), "a".into()], score })
        .to_vec();
    full.levels = vec![vec![], full.predictions.clone()];
    full.timings = StageTimings { fetch_ms: 0.123_456_7, inference_ms: 1e-7, ..full.timings };
    full.image.bytes = u64::from(u32::MAX) + 1;
    let outcomes = [
        ItemOutcome::Succeeded(full),
        ItemOutcome::Failed(ItemError::new(ErrorCode::Truncated, "ends at \u{0} byte 7 👟")),
        answer("Shirts"),
    ];
    for (held, outcome) in claimed.iter().zip(&outcomes) {
        world.complete(held, outcome.clone()).await;
    }
    let expected: Vec<_> = (0..).zip(outcomes).collect();
    assert_eq!(world.results(&new).await, expected);
}

pub(crate) async fn recording_again_says_gone_and_keeps_the_first(world: &World) {
    let new = job();
    world.enqueue(&new, 2).await;
    let held = world.claim_one().await;
    assert_eq!(world.complete(&held, answer("first")).await, STORED);
    assert_eq!(world.complete(&held, answer("second")).await, Recorded::Gone);
    assert_eq!(world.complete(&held, answer("first")).await, Recorded::Gone);
    assert_eq!(world.results(&new).await, [(0, answer("first"))]);
    assert_eq!(world.job(&new).await.items.succeeded, 1);
}

pub(crate) async fn a_forged_token_is_fenced(world: &World) {
    let new = job();
    world.enqueue(&new, 1).await;
    let held = world.claim_one().await;
    for forged in ["", "1", "1-", &format!("{}0", held.lease.token.0), &held.lease.token.0[1..]] {
        let forged = Lease { token: LeaseToken(forged.to_owned()), ..held.lease.clone() };
        assert_eq!(complete(&*world.store, &forged, answer("x")).await, Recorded::Fenced);
    }
    assert_eq!(world.results(&new).await, []);
}

pub(crate) async fn an_item_that_nobody_holds_is_fenced(world: &World) {
    let new = job();
    world.enqueue(&new, 2).await;
    let held = world.claim_one().await;
    let waiting = Lease { item: ItemRef { job: new.id, index: 1 }, ..held.lease.clone() };
    assert_eq!(complete(&*world.store, &waiting, answer("x")).await, Recorded::Fenced);
    world.store.retry(&held.lease, crate::world::LEASE, &unreachable_url()).await.unwrap();
    assert_eq!(world.complete(&held, answer("x")).await, Recorded::Fenced);
    assert_eq!(world.results(&new).await, []);
}

pub(crate) async fn an_item_of_no_job_is_gone(world: &World) {
    world.enqueue(&job(), 1).await;
    let held = world.claim_one().await;
    let unknown = Lease { item: ItemRef { job: job().id, index: 0 }, ..held.lease };
    assert_eq!(complete(&*world.store, &unknown, answer("x")).await, Recorded::Gone);
}

pub(crate) async fn the_one_who_lost_the_item_is_fenced_and_the_new_holder_records(world: &World) {
    let new = job();
    world.enqueue(&new, 1).await;
    let slow = world.claim_one().await;
    world.crash().await;
    assert_eq!(world.complete(&slow, answer("slow")).await, Recorded::Fenced);
    let next = world.claim_one().await;
    assert_eq!(world.complete(&slow, answer("slow")).await, Recorded::Fenced);
    let ended = Recorded::Stored { job_ended: Some(JobStatus::Succeeded) };
    assert_eq!(world.complete(&next, answer("next")).await, ended);
    assert_eq!(world.complete(&slow, answer("slow")).await, Recorded::Gone);
    assert_eq!(world.results(&new).await, [(0, answer("next"))]);
}

pub(crate) async fn one_who_released_the_item_is_fenced(world: &World) {
    world.enqueue(&job(), 1).await;
    let held = world.claim_one().await;
    world.store.release(&leases(std::slice::from_ref(&held))).await.unwrap();
    assert_eq!(world.succeed(&held).await, Recorded::Fenced);
    let next = world.claim_one().await;
    assert_eq!(world.succeed(&held).await, Recorded::Fenced);
    assert!(matches!(world.succeed(&next).await, Recorded::Stored { .. }));
}

pub(crate) async fn the_last_item_ends_the_job(world: &World) {
    let new = job();
    world.enqueue(&new, 2).await;
    let claimed = world.claim(2).await;
    assert_eq!(world.succeed(&claimed[1]).await, STORED);
    let half = world.job(&new).await;
    assert_eq!((half.status, half.items.succeeded), (JobStatus::Processing, 1));
    assert_eq!((half.completed_at, half.expires_at), (None, None));
    world.advance(crate::world::LEASE / 2);
    let ended = Recorded::Stored { job_ended: Some(JobStatus::Succeeded) };
    assert_eq!(world.succeed(&claimed[0]).await, ended);
    let whole = world.job(&new).await;
    let now = world.clock.now();
    assert_eq!((whole.status, whole.items.succeeded), (JobStatus::Succeeded, 2));
    assert_eq!((whole.completed_at, whole.expires_at), (Some(now), Some(now.plus(RETENTION))));
}

pub(crate) async fn the_outcomes_decide_the_status(world: &World) {
    let (good, bad) = (answer("Shirts"), ItemOutcome::Failed(undecodable()));
    let table = [
        (vec![good.clone(), good.clone()], JobStatus::Succeeded),
        (vec![good.clone(), bad.clone()], JobStatus::Partial),
        (vec![bad.clone(), bad.clone()], JobStatus::Failed),
        (vec![good.clone(), ItemOutcome::Canceled], JobStatus::Canceled),
        (vec![bad, ItemOutcome::Canceled, good], JobStatus::Canceled),
    ];
    for (outcomes, status) in table {
        let new = job();
        let count = u32::try_from(outcomes.len()).unwrap();
        world.enqueue(&new, count).await;
        if outcomes.contains(&ItemOutcome::Canceled) {
            let claimed = world.claim(outcomes.len()).await;
            world.store.cancel(&new.tenant, &new.id).await.unwrap();
            for (held, outcome) in claimed.iter().zip(&outcomes) {
                world.complete(held, outcome.clone()).await;
            }
        } else {
            for outcome in &outcomes {
                world.complete(&world.claim_one().await, outcome.clone()).await;
            }
        }
        let found = world.job(&new).await;
        assert_eq!((found.status, found.items.ended()), (status, count), "{outcomes:?}");
        let results: Vec<_> = world.results(&new).await.into_iter().map(|(_, end)| end).collect();
        assert_eq!(results, outcomes);
    }
}

pub(crate) async fn a_batch_is_answered_in_its_order(world: &World) {
    let (one, two) = (job(), job());
    world.enqueue(&one, 3).await;
    world.enqueue(&two, 1).await;
    let mut claimed = world.claim(4).await;
    claimed.sort_by_key(|held| held.lease.item);
    world.succeed(&claimed[1]).await;
    let forged = Lease { token: LeaseToken("1-forged".to_owned()), ..claimed[2].lease.clone() };
    let batch = [
        (claimed[3].lease.clone(), ItemOutcome::Failed(undecodable())),
        (claimed[1].lease.clone(), answer("late")),
        (forged, answer("forged")),
        (claimed[0].lease.clone(), answer("Shirts")),
        (claimed[0].lease.clone(), answer("twice")),
    ];
    let recorded = world.store.complete(&batch).await.unwrap();
    let expected = [
        Recorded::Stored { job_ended: Some(JobStatus::Failed) },
        Recorded::Gone,
        Recorded::Fenced,
        STORED,
        Recorded::Gone,
    ];
    assert_eq!(recorded, expected);
    let expected = [(0, answer("Shirts")), (1, answer("Shirts"))];
    assert_eq!(world.results(&one).await, expected);
    assert_eq!(world.store.complete(&[]).await.unwrap(), []);
}

pub(crate) async fn a_large_batch_is_recorded_whole(world: &World) {
    let new = job();
    world.enqueue(&new, 200).await;
    let batch: Vec<_> =
        world.claim_all().await.into_iter().map(|held| (held.lease, answer("Shirts"))).collect();
    let recorded = world.store.complete(&batch).await.unwrap();
    assert_eq!(recorded.len(), 200);
    assert_eq!(recorded[199], Recorded::Stored { job_ended: Some(JobStatus::Succeeded) });
    assert_eq!(world.results(&new).await.len(), 200);
}

pub(crate) async fn an_outcome_may_be_as_large_as_the_limit_and_no_larger(world: &World) {
    let new = NewJob { max_attempts: 1, ..job() };
    world.enqueue(&new, 2).await;
    let claimed = world.claim(2).await;
    let over = (claimed[1].lease.clone(), outcome_of_bytes(MAX_OUTCOME_BYTES + 1));
    let batch = [(claimed[0].lease.clone(), answer("Shirts")), over];
    assert!(is_invalid(&world.store.complete(&batch).await));
    assert_eq!(world.results(&new).await, [], "something was written");
    let largest = outcome_of_bytes(MAX_OUTCOME_BYTES);
    assert_eq!(world.complete(&claimed[1], largest.clone()).await, STORED);
    assert_eq!(world.results(&new).await, [(1, largest)]);
}

fn outcome_of_bytes(bytes: usize) -> ItemOutcome {
    let failed =
        |length| ItemOutcome::Failed(ItemError::new(ErrorCode::Internal, "x".repeat(length)));
    let frame = serde_json::to_vec(&failed(0)).unwrap().len();
    let outcome = failed(bytes - frame);
    assert_eq!(serde_json::to_vec(&outcome).unwrap().len(), bytes);
    outcome
}
