//! Ends that are to be told: each exactly once, whatever became of its job.

use std::collections::BTreeMap;

use aisle_shared::domain::{
    DeliveryAttempt, DeliveryStatus, Endpoint, EndpointId, Event, JobId, Timestamp,
};
use aisle_shared::store::{DeliveryFilter, Settled, Verdict};
use aisle_tests::fixtures::tenant;
use aisle_tests::harness::Harness;
use anyhow::ensure;

use super::reference::Reference;
use crate::webhooks::{secret, wish};

const TENANTS: [&str; 3] = ["a", "b", "c"];

/// Has every tenant's callbacks signed.
pub(super) async fn sign(world: &Harness) -> anyhow::Result<()> {
    for name in TENANTS {
        let endpoint = Endpoint {
            id: EndpointId::callbacks(),
            tenant: tenant(name),
            url: None,
            events: Vec::new(),
            description: String::new(),
            secrets: vec![secret("s1", None)],
            disabled: None,
            created_at: world.clock.now(),
            version: 1,
        };
        world.store.put_endpoint(&endpoint).await?;
    }
    Ok(())
}

/// Takes deliveries and delivers them or gives them back; answers how many.
pub(super) async fn send(
    world: &Harness,
    reference: &mut Reference,
    max: usize,
    delivered: bool,
) -> anyhow::Result<usize> {
    let claimed = world.store.claim_deliveries(&wish(max)).await?;
    for held in &claimed {
        let told = reference.told.get(&held.job.id);
        ensure!(told == Some(&held.job.status), "{held:?} should tell {told:?}");
        ensure!(!reference.delivered.contains(&held.job.id), "{held:?} is told twice");
        if delivered {
            let at: Timestamp = world.clock.now();
            let attempt = DeliveryAttempt { at, took_ms: 1, status: Some(200), error: None };
            let verdict = Verdict::Delivered;
            let settled = world.store.settle_delivery(&held.lease, &attempt, verdict).await?;
            ensure!(settled == Settled::Stored, "{held:?} was held and is fenced");
            reference.delivered.insert(held.job.id);
        } else {
            world.store.release_deliveries(std::slice::from_ref(&held.lease)).await?;
        }
    }
    Ok(claimed.len())
}

/// Each end has one delivery, which stands as it should.
pub(super) async fn compare(world: &Harness, reference: &Reference) -> anyhow::Result<()> {
    let mut found: BTreeMap<JobId, (Event, DeliveryStatus)> = BTreeMap::new();
    for name in TENANTS {
        let mut after = None;
        loop {
            let all = DeliveryFilter::default();
            let page = world.store.deliveries(&tenant(name), &all, after, 100).await?;
            for told in page.deliveries {
                let stands = (told.event, told.status);
                ensure!(found.insert(told.id.job, stands).is_none(), "{} twice", told.id);
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    let expected: BTreeMap<_, _> = reference
        .told
        .iter()
        .filter_map(|(job, status)| {
            let delivered = reference.delivered.contains(job);
            let stands =
                if delivered { DeliveryStatus::Delivered } else { DeliveryStatus::Pending };
            Some((*job, (Event::of(*status)?, stands)))
        })
        .collect();
    ensure!(found == expected, "{found:?} are told and should be {expected:?}");
    let pending = found.values().filter(|(_, status)| *status == DeliveryStatus::Pending).count();
    let counted = world.store.stats().await?.webhooks.pending;
    ensure!(counted == pending as u64, "{counted} are counted and {pending} are pending");
    Ok(())
}
