//! Which answers to a claim are right. There is more than one, because the
//! order between tenants is the store's own; what is certain is held here.

use aisle_shared::domain::{ItemRef, ItemSource, Priority, TenantId, Timestamp};
use aisle_shared::store::{ClaimRequest, Claimed};
use anyhow::{Context, ensure};

use super::reference::{Item, RefJob, Reference, State};

/// Holds a claim's answer against the reference, and notes it there.
pub(super) fn accept(
    reference: &mut Reference,
    request: &ClaimRequest,
    claimed: &[Claimed],
    now: Timestamp,
) -> anyhow::Result<()> {
    are_the_right_ones(reference, request, claimed, now)?;
    for held in claimed {
        let lease = &held.lease;
        ensure!(reference.tokens.insert(lease.token.clone()), "{:?} was given before", lease.token);
        reference.hand_out(lease, now.plus(request.lease), held.solo, now);
        let job = reference.jobs.get(&lease.item.job).context("an item of no job")?;
        let attempts = job.items[lease.item.index as usize].attempts;
        ensure!(attempts <= job.new.max_attempts, "{} has more attempts than allowed", lease.item);
        let expected = Claimed {
            lease: lease.clone(),
            tenant: job.new.tenant.clone(),
            source: source(lease.item.index),
            content: None,
            options: job.new.options.clone(),
            attempt: attempts,
            max_attempts: job.new.max_attempts,
            solo: held.solo,
            created_at: job.created_at,
            trace: job.new.trace.clone(),
        };
        ensure!(*held == expected, "{held:?} should be {expected:?}");
    }
    Ok(())
}

/// Where the items of [`aisle_tests::fixtures::items`] are.
fn source(index: u32) -> ItemSource {
    ItemSource::Url(format!("https://shop.test/{index}.jpg"))
}

/// What is ready for a claim.
struct Ready {
    item: ItemRef,
    tenant: TenantId,
    priority: Priority,
    solo: bool,
    fresh: bool,
}

fn ready(reference: &Reference, request: &ClaimRequest, now: Timestamp) -> Vec<Ready> {
    let describe = |(item, job, state): (ItemRef, &RefJob, &Item)| match state.state {
        State::Waiting { solo, due, fresh } if due <= now => Some(Ready {
            item,
            tenant: job.new.tenant.clone(),
            priority: job.new.priority,
            solo,
            fresh,
        }),
        State::Waiting { .. } | State::Hidden | State::Running { .. } | State::Ended(_) => None,
    };
    reference.waiting(&request.model).filter_map(describe).collect()
}

fn are_the_right_ones(
    reference: &Reference,
    request: &ClaimRequest,
    claimed: &[Claimed],
    now: Timestamp,
) -> anyhow::Result<()> {
    let ready = ready(reference, request, now);
    let mut taken = Vec::new();
    for held in claimed {
        let item = held.lease.item;
        let found = ready.iter().find(|each| each.item == item);
        let found = found.with_context(|| format!("{item} is not ready"))?;
        ensure!(found.solo == held.solo, "{item} is solo: {}, said {}", found.solo, held.solo);
        taken.push(found);
    }
    if reference.parted {
        let most = ready.iter().filter(|each| !each.solo).count().min(request.max);
        let alone = taken.len() == 1 && taken.iter().all(|each| each.solo);
        let together = taken.len() == most && taken.iter().all(|each| !each.solo);
        ensure!(alone || together, "{} of {} ready were handed out", taken.len(), ready.len());
        return Ok(());
    }
    if ready.iter().any(|each| each.solo) {
        let alone = taken.len() == 1.min(request.max) && taken.iter().all(|each| each.solo);
        ensure!(alone, "an item that must come alone came with others, or not at all");
        return Ok(());
    }
    let most = ready.len().min(request.max);
    ensure!(taken.len() == most, "{} of {} ready were handed out", taken.len(), ready.len());
    follow_the_bands(&ready, &taken)?;
    follow_the_order_of_their_tenant(&ready, &taken)
}

/// Most urgent first, or in reverse; the next band only when one is empty.
fn follow_the_bands(ready: &[Ready], taken: &[&Ready]) -> anyhow::Result<()> {
    let bands: Vec<_> = taken.iter().map(|each| each.priority).collect();
    let mut usual: Vec<_> = ready.iter().map(|each| each.priority).collect();
    usual.sort_unstable();
    let mut reversed = usual.clone();
    reversed.reverse();
    let follows = usual.starts_with(&bands) || reversed.starts_with(&bands);
    ensure!(follows, "the bands came as {bands:?} of {usual:?}");
    Ok(())
}

/// Items that were never claimed come in the order they were submitted in.
fn follow_the_order_of_their_tenant(ready: &[Ready], taken: &[&Ready]) -> anyhow::Result<()> {
    for (place, one) in taken.iter().enumerate().filter(|(_, one)| one.fresh) {
        let before = &taken[..place];
        let overtaken = ready.iter().find(|other| {
            let rivals = other.tenant == one.tenant && other.priority == one.priority;
            let earlier = other.fresh && other.item < one.item;
            rivals && earlier && !before.iter().any(|each| each.item == other.item)
        });
        if let Some(other) = overtaken {
            anyhow::bail!("{} came before {}", one.item, other.item);
        }
    }
    Ok(())
}
