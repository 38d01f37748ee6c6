//! What the other shards hold against the caps, which are for the whole store.
//!
//! The script that admits a job knows its own shard to the item. Of the others
//! it is told what they held a moment ago, and the limits are lowered by that:
//! with one shard they are exact, with several they may be passed by what all
//! processes admit within that moment. Close to a limit the moment is now.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::future::join_all;

use super::super::StoreLimits;
use super::keys::Shard;
use super::server::Server;
use crate::domain::TenantId;

/// How long what the shards hold is believed, far from any limit.
const BELIEVED: Duration = Duration::from_millis(100);

/// A limit is close when so many items more would reach it, ten times what a
/// fast process admits while it believes.
const CLOSE: u64 = 5_000;

/// The same for bytes of uploads.
const CLOSE_BYTES: u64 = 1 << 30;

/// Tenants that are remembered; with one more, all are forgotten.
const TENANTS: usize = 10_000;

/// What a shard holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Load {
    /// Live items.
    pub(super) items: u64,
    /// Those of the tenant.
    pub(super) tenant_items: u64,
    /// Bytes of uploads whose items are live.
    pub(super) bytes: u64,
    /// Slots with the number of items that left in each, in turn.
    pub(super) drained: Vec<u64>,
}

/// What a script answers: items, those of the tenant, bytes, the time, slots.
type LoadRow = (u64, u64, u64, Vec<u64>);

/// What was last seen of the shards, by tenant.
#[derive(Debug, Default)]
pub(super) struct Elsewhere(Mutex<HashMap<TenantId, Seen>>);

#[derive(Debug, Clone)]
struct Seen {
    at: Instant,
    loads: Loads,
}

/// What each shard holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Loads(HashMap<Shard, Load>);

impl Loads {
    /// What all shards but one hold together.
    pub(super) fn but(&self, shard: Shard) -> Load {
        sum(self.0.iter().filter(|(of, _)| **of != shard).map(|(_, load)| load))
    }

    fn are_close(&self, limits: &StoreLimits) -> bool {
        let left = sum(self.0.values()).leaves(limits);
        left.items < CLOSE || left.tenant_items < CLOSE || left.upload_bytes < CLOSE_BYTES
    }
}

impl Elsewhere {
    /// What the shards hold now, or held a moment ago. One that does not answer
    /// holds what it held. A store of one shard needs not be asked.
    pub(super) async fn loads(
        &self,
        server: &Server,
        tenant: &TenantId,
        limits: &StoreLimits,
    ) -> Loads {
        if server.shards().count() == 1 {
            return Loads::default();
        }
        let seen = self.lock().get(tenant).cloned();
        match seen {
            Some(seen) if seen.at.elapsed() < BELIEVED && !seen.loads.are_close(limits) => {
                seen.loads
            }
            seen => {
                let loads = ask(server, tenant, seen.map(|seen| seen.loads).unwrap_or_default());
                let loads = loads.await;
                let mut all = self.lock();
                if all.len() >= TENANTS {
                    all.clear();
                }
                all.insert(tenant.clone(), Seen { at: Instant::now(), loads: loads.clone() });
                loads
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Load {
    /// What a shard may hold itself beside this.
    pub(super) fn leaves(&self, limits: &StoreLimits) -> StoreLimits {
        StoreLimits {
            items: limits.items.saturating_sub(self.items),
            tenant_items: limits.tenant_items.saturating_sub(self.tenant_items),
            upload_bytes: limits.upload_bytes.saturating_sub(self.bytes),
        }
    }
}

fn sum<'a>(loads: impl Iterator<Item = &'a Load>) -> Load {
    loads.fold(Load::default(), |mut sum, load| {
        sum.items += load.items;
        sum.tenant_items += load.tenant_items;
        sum.bytes += load.bytes;
        sum.drained.extend_from_slice(&load.drained);
        sum
    })
}

async fn ask(server: &Server, tenant: &TenantId, mut loads: Loads) -> Loads {
    let asked = join_all(server.shards().all().map(|shard| async move {
        let mut step = server.step(&server.scripts().loads, shard);
        step.arg(tenant.as_str());
        (shard, server.run::<LoadRow>(&step).await)
    }));
    for (shard, answer) in asked.await {
        match answer {
            Ok((items, tenant_items, bytes, mut drained)) => {
                // The time comes first.
                drained.drain(..drained.len().min(1));
                loads.0.insert(shard, Load { items, tenant_items, bytes, drained });
            }
            Err(error) => tracing::debug!(%error, "a shard does not tell what it holds"),
        }
    }
    loads
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_may_hold_what_the_others_leave() {
        let limits = StoreLimits { items: 10, tenant_items: u64::MAX, upload_bytes: 5 };
        let load = Load { items: 4, tenant_items: 9, bytes: 7, drained: Vec::new() };
        let left = load.leaves(&limits);
        assert_eq!((left.items, left.upload_bytes), (6, 0));
        assert_eq!(left.tenant_items, u64::MAX - 9);
    }
}
