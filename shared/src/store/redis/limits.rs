//! Rates, caps and switches.

use async_trait::async_trait;
use futures::future::try_join_all;

use super::elsewhere::Load;
use super::intake::{Caps, refusal};
use super::keys::Shard;
use super::scripts::Step;
use super::server::FULL_RETRY_AFTER;
use super::store::RedisStore;
use crate::domain::TenantId;
use crate::store::limits::verdict;
use crate::store::{Limits, Rate, Resource, StoreError, Switch, Switches, Taken};

/// What the script says of a job that is still to come: a word, what is live,
/// by how much that is too much, and how items left lately.
type Admits = (String, u64, u64, Vec<u64>);

#[async_trait]
impl Limits for RedisStore {
    async fn take(&self, bucket: &str, cost: u32, rate: Rate) -> Result<Taken, StoreError> {
        let shard = self.server.shards().of_name(bucket);
        let mut step = self.server.step(&self.server.scripts().take, shard);
        step.arg(bucket).arg(cost).arg(rate.interval_ms()).arg(rate.window_ms());
        let (allowed, early, used): (bool, f64, f64) = self.server.run(&step).await?;
        Ok(verdict(allowed, early, used, rate))
    }

    async fn admits(&self, tenant: &TenantId) -> Result<(), StoreError> {
        // Nobody knows yet where the job will lie.
        let loads = &self.elsewhere.loads(&self.server, tenant, &self.limits).await;
        let shards = self.server.shards().all();
        let asked = shards.map(|shard| self.shard_admits(shard, tenant, loads.but(shard)));
        try_join_all(asked).await?;
        Ok(())
    }

    async fn switches(&self) -> Result<Switches, StoreError> {
        let mut step = self.server.step(&self.server.scripts().switch, Shard::HOME);
        step.arg("");
        self.turned(&step).await
    }

    async fn set_switch(&self, switch: Switch, on: bool) -> Result<(), StoreError> {
        // The home, which is asked how they stand, comes last.
        for shard in self.server.shards().all().rev() {
            let mut step = self.server.step(&self.server.scripts().switch, shard);
            step.arg(switch.as_str()).arg(u8::from(on));
            self.turned(&step).await?;
        }
        Ok(())
    }
}

impl RedisStore {
    async fn shard_admits(
        &self,
        shard: Shard,
        tenant: &TenantId,
        elsewhere: Load,
    ) -> Result<(), StoreError> {
        let left = elsewhere.leaves(&self.limits);
        let mut step = self.server.step(&self.server.scripts().admits, shard);
        step.arg(tenant.as_str())
            .arg(left.items)
            .arg(left.tenant_items)
            .arg(left.upload_bytes)
            .arg(self.server.shards().count());
        let (word, live, over, drained): Admits = self.server.run(&step).await?;
        match word.as_str() {
            "admitted" => Ok(()),
            "memory" => Err(StoreError::Exhausted {
                resource: Resource::Memory,
                detail: format!("Redis uses {live} bytes, more than 70 % of its maxmemory"),
                retry_after: FULL_RETRY_AFTER,
            }),
            word => {
                let caps = Caps { limits: &self.limits, elsewhere: &elsewhere };
                Err(refusal(word, live, over, &drained, caps))
            }
        }
    }

    async fn turned(&self, step: &Step<'_>) -> Result<Switches, StoreError> {
        let (intake_closed, paused) = self.server.run(step).await?;
        Ok(Switches { intake_closed, paused })
    }
}
