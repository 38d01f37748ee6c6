//! What a tenant reads of its deliveries, replays, and when they are
//! forgotten.

use std::collections::BTreeSet;
use std::time::Duration;

use aisle_shared::domain::{Delivery, DeliveryStatus, Endpoint, EndpointId, Event, NewJob};
use aisle_shared::store::{ATTEMPTS_KEPT, DELIVERY_RETENTION, DeliveryFilter, Settled, Verdict};
use aisle_tests::fixtures::{RETENTION, job, tenant};

use crate::webhooks::{HELD, MOMENT, callback, job_telling, refused, to_callback};
use crate::world::{ALL, World, is_not_found, stranger};

pub(crate) async fn a_delivery_is_read_as_it_stands(world: &World) {
    world.sign_callbacks().await;
    let new = job_telling("hooks");
    world.end(&new).await;
    let now = world.clock.now();
    let mut expected = Delivery {
        id: to_callback(&new),
        url: callback("hooks").unwrap().url,
        event: Event::JobSucceeded,
        status: DeliveryStatus::Pending,
        attempted: 0,
        attempts: Vec::new(),
        created_at: now,
        due_at: Some(now),
        ended_at: None,
    };
    assert_eq!(world.delivery(&expected.id).await, expected);
    let held = world.due_one().await;
    world.stored(&held, Verdict::Retry(HELD)).await;
    expected.attempted = 1;
    expected.attempts.push(refused(now));
    expected.due_at = Some(now.plus(HELD));
    assert_eq!(world.delivery(&expected.id).await, expected);
    assert_eq!(world.log().await, [expected]);
}

pub(crate) async fn the_last_twenty_attempts_are_kept(world: &World) {
    world.sign_callbacks().await;
    let new = job_telling("hooks");
    world.end(&new).await;
    let hour = Duration::from_secs(3_600);
    let mut expected = Vec::new();
    for _ in 0..ATTEMPTS_KEPT + 3 {
        expected.push(refused(world.clock.now()));
        let held = world.due_one().await;
        world.stored(&held, Verdict::Retry(hour)).await;
        world.advance(hour);
    }
    let found = world.delivery(&to_callback(&new)).await;
    assert_eq!(found.attempts, expected[3..]);
    assert_eq!(found.attempted as usize, ATTEMPTS_KEPT + 3);
}

pub(crate) async fn no_tenant_sees_or_replays_anothers_delivery(world: &World) {
    world.sign_callbacks().await;
    let new = job_telling("hooks");
    world.end(&new).await;
    let id = to_callback(&new);
    let held = world.due_one().await;
    world.stored(&held, Verdict::Delivered).await;
    assert!(is_not_found(&world.store.delivery(&stranger(), &id).await));
    assert!(is_not_found(&world.store.replay_delivery(&stranger(), &id).await));
    let of_job = DeliveryFilter { job: Some(new.id), ..DeliveryFilter::default() };
    for filter in [DeliveryFilter::default(), of_job] {
        assert_eq!(world.log_of("stranger", &filter).await, []);
    }
    assert_eq!(world.due(ALL).await, []);
    assert!(is_not_found(&world.store.delivery(&new.tenant, &to_callback(&job())).await));
}

pub(crate) async fn deliveries_are_listed_newest_first(world: &World) {
    world.sign_callbacks().await;
    let mut expected = Vec::new();
    for place in 0..7 {
        let new = job_telling("hooks");
        world.end(&new).await;
        expected.insert(0, to_callback(&new));
        // Some end in the same millisecond.
        if place % 3 == 0 {
            world.advance(MOMENT);
        }
    }
    let listed: Vec<_> = world.log().await.into_iter().map(|told| told.id).collect();
    assert_eq!(listed, expected);
    let mut paged = Vec::new();
    let mut after = None;
    loop {
        let all = DeliveryFilter::default();
        let page = world.store.deliveries(&job().tenant, &all, after, 2).await.unwrap();
        assert!(page.deliveries.len() <= 2);
        paged.extend(page.deliveries.into_iter().map(|told| told.id));
        // What ends meanwhile is newer than any page that follows.
        world.end(&job_telling("hooks")).await;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(paged, expected);
}

pub(crate) async fn deliveries_of_one_job_have_an_order_too(world: &World) {
    for _ in 0..5 {
        world.register().await;
    }
    let new = job();
    world.end(&new).await;
    let filter = DeliveryFilter { job: Some(new.id), ..DeliveryFilter::default() };
    for filter in [filter, DeliveryFilter::default()] {
        let mut seen = Vec::new();
        let mut after = None;
        for _ in 0..5 {
            let page = world.store.deliveries(&new.tenant, &filter, after, 1).await.unwrap();
            seen.extend(page.deliveries.into_iter().map(|told| told.id.endpoint));
            after = page.next;
        }
        assert_eq!(after, None);
        let mut expected = seen.clone();
        expected.sort_by(|a, b| b.cmp(a));
        expected.dedup();
        assert_eq!((seen.len(), seen), (5, expected));
    }
}

pub(crate) async fn deliveries_are_listed_by_endpoint_job_and_status(world: &World) {
    let endpoint = world.register().await;
    world.sign_callbacks().await;
    let jobs = [job_telling("hooks"), job_telling("hooks")];
    for new in &jobs {
        world.end(new).await;
    }
    for held in world.due(ALL).await {
        let same = held.lease.id.job == jobs[0].id;
        let verdict = if same { Verdict::Delivered } else { Verdict::GivenUp };
        world.stored(&held, verdict).await;
    }
    let any = DeliveryFilter::default;
    let to = |endpoint: &EndpointId| Some(endpoint.clone());
    for (filter, expected) in [
        (any(), 4),
        (DeliveryFilter { endpoint: to(&endpoint.id), ..any() }, 2),
        (DeliveryFilter { endpoint: Some(EndpointId::callbacks()), ..any() }, 2),
        (DeliveryFilter { endpoint: Some(EndpointId::generate()), ..any() }, 0),
        (DeliveryFilter { job: Some(jobs[1].id), ..any() }, 2),
        (DeliveryFilter { job: Some(job().id), ..any() }, 0),
        (DeliveryFilter { status: Some(DeliveryStatus::Delivered), ..any() }, 2),
        (DeliveryFilter { status: Some(DeliveryStatus::Pending), ..any() }, 0),
        (
            DeliveryFilter {
                endpoint: to(&endpoint.id),
                job: Some(jobs[1].id),
                status: Some(DeliveryStatus::Failed),
            },
            1,
        ),
    ] {
        let listed = world.log_of("shop", &filter).await;
        assert_eq!(listed.len(), expected, "{filter:?}");
        assert!(listed.iter().all(|told| {
            filter.endpoint.as_ref().is_none_or(|endpoint| *endpoint == told.id.endpoint)
                && filter.job.is_none_or(|job| job == told.id.job)
                && filter.status.is_none_or(|status| status == told.status)
        }));
    }
}

pub(crate) async fn a_long_log_is_filtered_in_bounded_pages(world: &World) {
    let endpoint = world.register().await;
    world.end(&job()).await;
    world.store.remove_endpoint(&endpoint.tenant, &endpoint.id).await.unwrap();
    world.advance(MOMENT);
    world.sign_callbacks().await;
    world.end_many("hooks", 1_100).await;
    let filter = DeliveryFilter { endpoint: Some(endpoint.id), ..DeliveryFilter::default() };
    let first = world.store.deliveries(&job().tenant, &filter, None, 10).await.unwrap();
    assert_eq!(first.deliveries, []);
    assert!(first.next.is_some(), "a page looks at so many and no more");
    assert_eq!(world.log_of("shop", &filter).await.len(), 1);
}

pub(crate) async fn a_delivered_one_is_sent_again_on_request(world: &World) {
    world.sign_callbacks().await;
    let new = job_telling("hooks");
    world.end(&new).await;
    let id = to_callback(&new);
    let first = world.due_one().await;
    world.stored(&first, Verdict::Delivered).await;
    world.store.delete(&new.tenant, &new.id).await.unwrap();
    world.advance(HELD);
    world.store.replay_delivery(&new.tenant, &id).await.unwrap();
    let pending = world.delivery(&id).await;
    assert_eq!((pending.status, pending.ended_at), (DeliveryStatus::Pending, None));
    assert_eq!(pending.due_at, Some(world.clock.now()));
    world.store.replay_delivery(&new.tenant, &id).await.unwrap();
    let again = world.due_one().await;
    assert_eq!((again.attempt, &again.job), (1, &first.job));
    assert_eq!(again.lease.id.message(), first.lease.id.message());
    assert_eq!(world.settle(&first, Verdict::GivenUp).await, Settled::Stored);
    world.stored(&again, Verdict::Delivered).await;
    let ended = world.delivery(&id).await;
    assert_eq!((ended.status, ended.attempted), (DeliveryStatus::Delivered, 2));
    assert_eq!(ended.attempts.len(), 2);
}

pub(crate) async fn a_failed_one_starts_its_schedule_anew(world: &World) {
    world.sign_callbacks().await;
    let new = job_telling("hooks");
    world.end(&new).await;
    for verdict in [Verdict::Retry(Duration::ZERO), Verdict::GivenUp] {
        let held = world.due_one().await;
        world.stored(&held, verdict).await;
    }
    let id = to_callback(&new);
    world.store.replay_delivery(&new.tenant, &id).await.unwrap();
    assert_eq!(world.due_one().await.attempt, 1);
    assert_eq!(world.delivery(&id).await.attempted, 3);
}

pub(crate) async fn one_that_waits_is_sent_at_once_on_request(world: &World) {
    world.sign_callbacks().await;
    let new = job_telling("hooks");
    world.end(&new).await;
    let held = world.due_one().await;
    world.stored(&held, Verdict::Retry(100 * HELD)).await;
    assert_eq!(world.due(ALL).await, []);
    world.store.replay_delivery(&new.tenant, &to_callback(&new)).await.unwrap();
    assert_eq!(world.due_one().await.attempt, 1);
}

pub(crate) async fn one_that_is_held_is_left_to_its_sender(world: &World) {
    world.sign_callbacks().await;
    let new = job_telling("hooks");
    world.end(&new).await;
    let held = world.due_one().await;
    world.store.replay_delivery(&new.tenant, &to_callback(&new)).await.unwrap();
    assert_eq!(world.due(ALL).await, []);
    world.stored(&held, Verdict::Delivered).await;
    assert_eq!(world.due(ALL).await, []);
}

pub(crate) async fn a_delivery_is_forgotten_seven_days_after_its_end(world: &World) {
    world.sign_callbacks().await;
    let jobs = [job_telling("hooks"), job_telling("hooks"), job_telling("hooks")];
    for new in &jobs {
        world.end(new).await;
    }
    let due = world.due(3).await;
    world.stored(&due[0], Verdict::Delivered).await;
    world.stored(&due[1], Verdict::GivenUp).await;
    world.advance(DELIVERY_RETENTION - MOMENT);
    world.store.sweep(ALL).await.unwrap();
    assert_eq!(world.log().await.len(), 3);
    world.advance(MOMENT);
    world.store.sweep(ALL).await.unwrap();
    let left: Vec<_> = world.log().await.into_iter().map(|told| told.id).collect();
    assert_eq!(left, [due[2].lease.id.clone()], "what has not ended stays");
    for gone in &due[..2] {
        assert_eq!(world.settle(gone, Verdict::Delivered).await, Settled::Fenced);
        let replayed = world.store.replay_delivery(&jobs[0].tenant, &gone.lease.id).await;
        assert!(is_not_found(&replayed));
    }
    assert_eq!(world.due(ALL).await.len(), 1);
}

/// Tells of jobs in every way that a delivery can go, until all have ended.
async fn whole_deliveries(world: &World) {
    let endpoint = Endpoint { tenant: tenant("mall"), ..world.new_endpoint() };
    world.put(&endpoint).await;
    for place in 0..12 {
        let origin = if place % 2 == 0 { "even" } else { "odd" };
        world.end(&NewJob { tenant: tenant("mall"), ..job_telling(origin) }).await;
    }
    let verdicts = [Verdict::Delivered, Verdict::GivenUp, Verdict::EndpointGone];
    let mut verdicts = verdicts.into_iter().cycle();
    for _ in 0..20 {
        for held in world.due(2).await {
            world.stored(&held, verdicts.next().unwrap()).await;
        }
        world.advance(Duration::from_secs(300));
    }
    world.store.remove_endpoint(&endpoint.tenant, &endpoint.id).await.unwrap();
    assert_eq!(world.due(ALL).await, []);
}

pub(crate) async fn forgotten_deliveries_leave_nothing(world: &World) {
    world.sign_callbacks_of(&tenant("mall")).await;
    let late = RETENTION.max(DELIVERY_RETENTION);
    let mut kept = BTreeSet::new();
    for _ in 0..3 {
        whole_deliveries(world).await;
        let log = world.log_of("mall", &DeliveryFilter::default()).await;
        assert_eq!(log.len(), 24);
        assert!(log.iter().all(|told| told.status != DeliveryStatus::Pending));
        world.advance(late);
        world.store.sweep(ALL).await.unwrap();
        // Once more for the tombstones.
        world.advance(late);
        world.store.sweep(ALL).await.unwrap();
        kept.insert(
            world
                .entries()
                .await
                .unwrap()
                .into_iter()
                .filter(|(name, _)| !name.contains(":gone:"))
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(kept.len(), 1, "{kept:#?}");
}
