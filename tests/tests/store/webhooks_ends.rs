//! Whoever ends a job, its end is written down to be told, once.

use aisle_shared::domain::{
    DeliveryStatus, Disabled, DisabledBecause, EndedJob, Endpoint, Event, ItemCounts, ItemOutcome,
    JobStatus, NewJob,
};
use aisle_shared::store::{DeliveryFilter, Recorded, Retried, submit};
use aisle_tests::fixtures::{RETENTION, answer, items, job, job_of, undecodable, unreachable_url};

use crate::webhooks::{callback, job_telling, to_callback};
use crate::world::{ALL, LEASE, World, stranger};

/// A job's only delivery says how it ended.
async fn is_told(world: &World, new: &NewJob, event: Event) {
    let filter = DeliveryFilter { job: Some(new.id), ..DeliveryFilter::default() };
    let told = world.log_of("shop", &filter).await;
    assert_eq!(told.len(), 1, "{event:?}: {told:?}");
    assert_eq!((told[0].event, told[0].status), (event, DeliveryStatus::Pending));
    assert_eq!(told[0].created_at, world.clock.now());
}

async fn is_not_told(world: &World) {
    assert_eq!(world.log().await, []);
    assert_eq!(world.due(ALL).await, []);
}

pub(crate) async fn a_job_that_nobody_asked_about_is_told_nobody(world: &World) {
    world.sign_callbacks().await;
    world.end(&job()).await;
    is_not_told(world).await;
}

pub(crate) async fn a_job_that_has_not_ended_is_not_told(world: &World) {
    world.sign_callbacks().await;
    let new = job_telling("hooks");
    world.enqueue(&new, 2).await;
    is_not_told(world).await;
    let held = world.claim(2).await;
    world.succeed(&held[0]).await;
    is_not_told(world).await;
    world.succeed(&held[1]).await;
    is_told(world, &new, Event::JobSucceeded).await;
}

pub(crate) async fn recording_the_last_item_tells_how_the_job_ended(world: &World) {
    world.sign_callbacks().await;
    let failed = || ItemOutcome::Failed(undecodable());
    for (outcomes, event) in [
        ([answer("Shirts"), answer("Shoes")], Event::JobSucceeded),
        ([answer("Shirts"), failed()], Event::JobPartial),
        ([failed(), failed()], Event::JobFailed),
        ([answer("Shirts"), ItemOutcome::Canceled], Event::JobCanceled),
    ] {
        let new = job_telling("hooks");
        world.enqueue(&new, 2).await;
        let held = world.claim(2).await;
        let batch: Vec<_> = held.iter().map(|held| held.lease.clone()).zip(outcomes).collect();
        world.store.complete(&batch).await.unwrap();
        is_told(world, &new, event).await;
        let again = world.store.complete(&batch).await.unwrap();
        assert_eq!(again, [Recorded::Gone, Recorded::Gone]);
        is_told(world, &new, event).await;
    }
}

pub(crate) async fn a_dead_letter_tells(world: &World) {
    world.sign_callbacks().await;
    let new = NewJob { max_attempts: 1, ..job_telling("hooks") };
    world.enqueue(&new, 1).await;
    let held = world.claim_one().await;
    let retried = world.store.retry(&held.lease, LEASE, &unreachable_url()).await.unwrap();
    assert_eq!(retried, Retried::Dead { job_ended: Some(JobStatus::Failed) });
    is_told(world, &new, Event::JobFailed).await;
}

pub(crate) async fn a_reaped_item_tells(world: &World) {
    world.sign_callbacks().await;
    let new = NewJob { max_attempts: 1, ..job_telling("hooks") };
    world.enqueue(&new, 1).await;
    world.claim_one().await;
    assert_eq!(world.crash().await.dead.len(), 1);
    is_told(world, &new, Event::JobFailed).await;
}

pub(crate) async fn canceling_what_waits_tells_once(world: &World) {
    world.sign_callbacks().await;
    let new = job_telling("hooks");
    world.enqueue(&new, 3).await;
    for _ in 0..2 {
        world.store.cancel(&new.tenant, &new.id).await.unwrap();
        is_told(world, &new, Event::JobCanceled).await;
    }
}

pub(crate) async fn canceling_a_large_job_tells_once(world: &World) {
    world.sign_callbacks().await;
    let new = job_telling("hooks");
    submit(&*world.store, &new, &items(900)).await.unwrap();
    world.store.cancel(&new.tenant, &new.id).await.unwrap();
    is_told(world, &new, Event::JobCanceled).await;
}

/// What runs when its job is canceled ends later, each time in another way.
pub(crate) async fn the_last_running_item_of_a_canceled_job_tells(world: &World) {
    world.sign_callbacks().await;
    for way in ["complete", "retry", "release", "reap"] {
        let new = job_telling("hooks");
        world.enqueue(&new, 2).await;
        let held = world.claim_one().await;
        world.store.cancel(&new.tenant, &new.id).await.unwrap();
        let none = DeliveryFilter { job: Some(new.id), ..DeliveryFilter::default() };
        assert_eq!(world.log_of("shop", &none).await, [], "{way}");
        let ended = Some(JobStatus::Canceled);
        match way {
            "complete" => {
                let recorded = world.succeed(&held).await;
                assert_eq!(recorded, Recorded::Stored { job_ended: ended });
            }
            "retry" => {
                let error = unreachable_url();
                let retried = world.store.retry(&held.lease, LEASE, &error).await.unwrap();
                assert_eq!(retried, Retried::Canceled { job_ended: ended });
            }
            "release" => world.store.release(&[held.lease]).await.unwrap(),
            _ => assert_eq!(world.crash().await.canceled, [held.lease.item]),
        }
        is_told(world, &new, Event::JobCanceled).await;
    }
}

pub(crate) async fn a_deleted_job_is_not_told(world: &World) {
    world.sign_callbacks().await;
    let new = job_telling("hooks");
    world.enqueue(&new, 2).await;
    let held = world.claim_one().await;
    world.store.delete(&new.tenant, &new.id).await.unwrap();
    assert_eq!(world.succeed(&held).await, Recorded::Gone);
    is_not_told(world).await;
}

pub(crate) async fn each_endpoint_and_the_callback_are_told(world: &World) {
    let endpoints = [world.register().await, world.register().await];
    world.sign_callbacks().await;
    let new = job_telling("hooks");
    world.end(&new).await;
    let mut told: Vec<_> = world.log().await.into_iter().map(|told| told.url).collect();
    told.sort();
    let urls = endpoints.map(|endpoint| endpoint.url.unwrap());
    let mut expected = vec![urls[0].clone(), urls[1].clone(), callback("hooks").unwrap().url];
    expected.sort();
    assert_eq!(told, expected);
    let due = world.due(ALL).await;
    assert_eq!(due.len(), 3);
    assert!(due.iter().all(|held| held.lease.id.message() == to_callback(&new).message()));
}

pub(crate) async fn an_endpoint_is_told_only_what_it_wants(world: &World) {
    let wants = |events: &[Event]| Endpoint { events: events.to_vec(), ..world.new_endpoint() };
    let endpoints =
        [wants(&[]), wants(&[Event::JobFailed]), wants(&[Event::JobSucceeded, Event::JobCanceled])];
    for endpoint in &endpoints {
        world.put(endpoint).await;
    }
    world.end(&job()).await;
    let told: Vec<_> = world.log().await.into_iter().map(|told| told.id.endpoint).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(!told.contains(&endpoints[1].id));
}

pub(crate) async fn a_disabled_endpoint_is_not_told(world: &World) {
    let because = DisabledBecause::Requested;
    let disabled = Some(Disabled { because, at: world.clock.now() });
    world.put(&Endpoint { disabled, ..world.new_endpoint() }).await;
    world.end(&job()).await;
    is_not_told(world).await;
}

pub(crate) async fn another_tenants_endpoint_is_not_told(world: &World) {
    world.put(&Endpoint { tenant: stranger(), ..world.new_endpoint() }).await;
    world.end(&job_of("shop")).await;
    is_not_told(world).await;
    assert_eq!(world.log_of("stranger", &DeliveryFilter::default()).await, []);
}

pub(crate) async fn what_is_told_outlives_the_job(world: &World) {
    world.sign_callbacks().await;
    let metadata: serde_json::Map<_, _> =
        serde_json::from_str(r#"{"sku":"a\u0000ü","tags":[],"n":1e3,"o":{}}"#).unwrap();
    let created_at = world.clock.now();
    let [kept, deleted] =
        [(); 2].map(|()| NewJob { metadata: metadata.clone(), ..job_telling("hooks") });
    for new in [&kept, &deleted] {
        world.enqueue(new, 3).await;
    }
    world.advance(LEASE / 2);
    for (place, held) in world.claim_all().await.iter().enumerate() {
        let outcome =
            if place % 3 == 0 { ItemOutcome::Failed(undecodable()) } else { answer("Shirts") };
        world.complete(held, outcome).await;
    }
    let completed_at = world.clock.now();
    world.store.delete(&deleted.tenant, &deleted.id).await.unwrap();
    world.advance(RETENTION);
    assert_eq!(world.store.sweep(10).await.unwrap().expired, [(kept.id, 3)]);
    let due = world.due(ALL).await;
    assert_eq!(due.len(), 2);
    for new in [kept, deleted] {
        let told = due.iter().find(|held| held.lease.id.job == new.id).unwrap();
        let expected = EndedJob {
            id: new.id,
            model: new.model,
            status: JobStatus::Partial,
            items: ItemCounts { total: 3, succeeded: 2, failed: 1, canceled: 0 },
            metadata: metadata.clone(),
            created_at,
            completed_at,
            trace: new.trace,
        };
        assert_eq!(told.job, expected);
    }
}
