//! Whether the store and the disk take more in, asked at most once in a while
//! for each tenant.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aisle_shared::domain::TenantId;
use tokio::time::Instant;

use crate::context::Context;
use crate::problem::Problem;

/// How long a yes counts. A no is asked for again each time, so that room is
/// seen at once.
const FRESH: Duration = Duration::from_millis(100);

/// Tenants remembered at most.
const TENANTS: usize = 1_000;

/// Which tenants were let in just now.
#[derive(Debug, Default)]
pub(crate) struct Pressure(Mutex<HashMap<TenantId, Instant>>);

impl Pressure {
    /// Refuses a tenant's job where there is no room for it.
    pub(crate) async fn check(&self, context: &Context, tenant: &TenantId) -> Result<(), Problem> {
        let asked = Instant::now();
        if self.admitted().get(tenant).is_some_and(|then| asked - *then < FRESH) {
            return Ok(());
        }
        context.store().admits(tenant).await?;
        context.state.blobs.admits().await?;
        let mut admitted = self.admitted();
        if admitted.len() >= TENANTS {
            admitted.retain(|_, then| asked - *then < FRESH);
        }
        if admitted.len() < TENANTS {
            admitted.insert(tenant.clone(), asked);
        }
        Ok(())
    }

    fn admitted(&self) -> MutexGuard<'_, HashMap<TenantId, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
