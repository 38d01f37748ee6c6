//! Tenants take turns at webhooks, and what waits for a sender can be seen.

use std::collections::BTreeMap;
use std::time::Duration;

use aisle_shared::domain::{ClaimedDelivery, NewJob, TenantId};
use aisle_shared::store::{DeliveryClaim, Store, Verdict, WebhookStats};
use aisle_tests::fixtures::{job, tenant};

use crate::webhooks::{AGAIN, HELD, MOMENT, job_telling, wish};
use crate::world::{ALL, World, stranger};

/// Deliveries of a tenant that senders of these cases hold together.
const SHARE: usize = 8;

async fn shared(store: &dyn Store, max: usize) -> Vec<ClaimedDelivery> {
    let wish = DeliveryClaim { per_tenant: SHARE, ..wish(max) };
    store.claim_deliveries(&wish).await.unwrap()
}

/// Jobs of a tenant, each of which tells a receiver of its own.
fn of(name: &str, receivers: usize) -> impl Iterator<Item = NewJob> {
    let tenant = tenant(name);
    (0..receivers)
        .map(move |at| NewJob { tenant: tenant.clone(), ..job_telling(&format!("h{at}")) })
}

/// How many of them are each tenant's.
fn shares(claimed: &[ClaimedDelivery]) -> BTreeMap<&TenantId, usize> {
    let mut shares = BTreeMap::new();
    for held in claimed {
        *shares.entry(&held.tenant).or_default() += 1;
    }
    shares
}

pub(crate) async fn senders_together_hold_no_more_of_a_tenant_than_its_share(world: &World) {
    world.sign_callbacks().await;
    world.end_all(of("shop", 3 * SHARE)).await;
    let other = world.another_handle().await.unwrap();
    let mut held = shared(&*world.store, 3).await;
    held.extend(shared(&*other, ALL).await);
    assert_eq!(held.len(), SHARE);
    assert_eq!(shared(&*world.store, ALL).await, []);
    world.stored(&held[0], Verdict::Delivered).await;
    world.stored(&held[1], AGAIN).await;
    world.store.release_deliveries(std::slice::from_ref(&held[2].lease)).await.unwrap();
    assert_eq!(shared(&*other, ALL).await.len(), 3);
    assert_eq!(shared(&*world.store, ALL).await, []);
    world.advance(HELD);
    assert_eq!(shared(&*world.store, ALL).await.len(), SHARE, "dead senders hold no places");
}

pub(crate) async fn tenants_take_turns_however_many_receivers_they_have(world: &World) {
    for (name, receivers) in [("a", 1), ("b", 20), ("c", 3)] {
        world.sign_callbacks_of(&tenant(name)).await;
        world.end_all(of(name, receivers)).await;
        world.end_all(of(name, receivers)).await;
        world.advance(MOMENT);
    }
    let mut order = String::new();
    for _ in 0..8 {
        let held = shared(&*world.store, 1).await;
        order.push_str(held[0].tenant.as_str());
        world.stored(&held[0], Verdict::Delivered).await;
    }
    assert_eq!(order, "abcabcbc");
}

pub(crate) async fn a_claim_gives_to_each_tenant_before_it_gives_one_more(world: &World) {
    for (name, receivers) in [("a", 20), ("b", 2), ("c", 20)] {
        world.sign_callbacks_of(&tenant(name)).await;
        world.end_all(of(name, receivers)).await;
    }
    let due = shared(&*world.store, 12).await;
    let (a, b, c) = (tenant("a"), tenant("b"), tenant("c"));
    assert_eq!(shares(&due), [(&a, 5), (&b, 2), (&c, 5)].into());
}

pub(crate) async fn a_tenant_of_three_hundred_hanging_receivers_delays_no_other(world: &World) {
    world.sign_callbacks().await;
    world.sign_callbacks_of(&stranger()).await;
    let ours = job().tenant;
    world.end_all(of(ours.as_str(), 300)).await;
    world.advance(Duration::from_secs(3_600));
    let mut hanging = shared(&*world.store, 128).await;
    assert_eq!(shares(&hanging), [(&ours, SHARE)].into());
    for round in 0..20 {
        world.end_all(of("stranger", 1)).await;
        let held = shared(&*world.store, 128 - SHARE).await;
        assert_eq!(shares(&held), [(&stranger(), 1)].into(), "round {round}");
        world.stored(&held[0], Verdict::Delivered).await;
        if round % 5 == 4 {
            // Those that hang time out, and others of the tenant hang in their place.
            world.advance(Duration::from_secs(15));
            for held in &hanging {
                world.stored(held, Verdict::Retry(Duration::from_secs(300))).await;
            }
            hanging = shared(&*world.store, 128).await;
            assert_eq!(shares(&hanging), [(&ours, SHARE)].into(), "round {round}");
        }
    }
}

pub(crate) async fn what_ends_while_its_tenant_has_its_share_goes_out_after_it(world: &World) {
    world.sign_callbacks().await;
    world.end_all(of("shop", SHARE)).await;
    let held = shared(&*world.store, ALL).await;
    world.end_many("late", 1).await;
    assert_eq!(shared(&*world.store, ALL).await, []);
    world.stored(&held[0], Verdict::Delivered).await;
    let late = shared(&*world.store, ALL).await;
    assert_eq!(late.iter().map(|held| &*held.lane).collect::<Vec<_>>(), ["https://late.test"]);
}

pub(crate) async fn what_is_still_to_be_told_is_counted(world: &World) {
    let pending = || async { world.store.stats().await.unwrap().webhooks.pending };
    world.sign_callbacks().await;
    world.end_all(of("shop", 4)).await;
    assert_eq!(pending().await, 4);
    let held = world.due(ALL).await;
    assert_eq!(pending().await, 4);
    world.stored(&held[0], Verdict::Delivered).await;
    world.stored(&held[0], Verdict::Delivered).await;
    world.stored(&held[1], Verdict::GivenUp).await;
    world.stored(&held[2], AGAIN).await;
    world.store.release_deliveries(std::slice::from_ref(&held[3].lease)).await.unwrap();
    assert_eq!(pending().await, 2);
    for _ in 0..2 {
        world.store.replay_delivery(&job().tenant, &held[0].lease.id).await.unwrap();
        assert_eq!(pending().await, 3);
    }
    let callbacks = held[0].lease.id.endpoint.clone();
    world.store.remove_endpoint(&job().tenant, &callbacks).await.unwrap();
    world.due(ALL).await;
    assert_eq!(world.store.stats().await.unwrap().webhooks, WebhookStats::default());
}

pub(crate) async fn what_no_sender_claims_is_overdue(world: &World) {
    let due = || async { world.store.stats().await.unwrap().webhooks.due };
    world.sign_callbacks().await;
    assert_eq!(due().await, None);
    let ended = world.clock.now();
    world.end_all(of("shop", 2 * SHARE)).await;
    world.advance(Duration::from_secs(100));
    assert_eq!(due().await, Some(ended));
    // What the share holds back is not overdue before it is looked at again.
    let claimed = world.clock.now();
    let held = shared(&*world.store, ALL).await;
    assert_eq!(due().await, Some(claimed.plus(HELD)));
    world.advance(Duration::from_secs(15));
    world.stored(&held[0], AGAIN).await;
    assert_eq!(due().await, Some(claimed));
    for held in &held[1..] {
        world.stored(held, Verdict::Delivered).await;
    }
    for held in shared(&*world.store, ALL).await {
        world.stored(&held, Verdict::Delivered).await;
    }
    for held in shared(&*world.store, ALL).await {
        world.stored(&held, Verdict::Delivered).await;
    }
    assert_eq!(due().await, None);
}
