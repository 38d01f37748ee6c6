//! Rates, caps and switches.

use async_trait::async_trait;
use redis::ScriptInvocation;

use super::intake::refusal;
use super::keys::Shard;
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
        let mut step = self.server.step(&self.server.scripts().take, Shard::ONLY);
        step.arg(bucket).arg(cost).arg(rate.interval_ms()).arg(rate.window_ms());
        let (allowed, early, used): (bool, f64, f64) = self.server.run(&step).await?;
        Ok(verdict(allowed, early, used, rate))
    }

    async fn admits(&self, tenant: &TenantId) -> Result<(), StoreError> {
        let mut step = self.server.step(&self.server.scripts().admits, Shard::ONLY);
        step.arg(tenant.as_str())
            .arg(self.limits.items)
            .arg(self.limits.tenant_items)
            .arg(self.limits.upload_bytes);
        let (word, live, over, drained): Admits = self.server.run(&step).await?;
        match word.as_str() {
            "admitted" => Ok(()),
            "memory" => Err(StoreError::Exhausted {
                resource: Resource::Memory,
                detail: format!("Redis uses {live} bytes, more than 70 % of its maxmemory"),
                retry_after: FULL_RETRY_AFTER,
            }),
            word => Err(refusal(word, live, over, &drained, &self.limits)),
        }
    }

    async fn switches(&self) -> Result<Switches, StoreError> {
        let mut step = self.server.step(&self.server.scripts().switch, Shard::ONLY);
        step.arg("");
        self.turned(&step).await
    }

    async fn set_switch(&self, switch: Switch, on: bool) -> Result<(), StoreError> {
        let mut step = self.server.step(&self.server.scripts().switch, Shard::ONLY);
        step.arg(switch.as_str()).arg(u8::from(on));
        self.turned(&step).await.map(|_| ())
    }
}

impl RedisStore {
    async fn turned(&self, step: &ScriptInvocation<'_>) -> Result<Switches, StoreError> {
        let (intake_closed, paused) = self.server.run(step).await?;
        Ok(Switches { intake_closed, paused })
    }
}
