//! What every handler shares.

use std::fmt;
use std::sync::Arc;

use aisle_shared::blob::BlobStore;
use aisle_shared::store::Store;
use aisle_shared::telemetry::StoreGauges;
use aisle_shared::vitals::Vitals;
use aisle_shared::webhook::Vault;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::access::Keyring;
use crate::admission::Pressure;
use crate::intake::Catalog;
use crate::settings::ApiSettings;

/// What the API stands on.
#[derive(Clone)]
pub struct ApiState {
    /// Jobs.
    pub store: Arc<dyn Store>,
    /// Uploaded bytes.
    pub blobs: Arc<dyn BlobStore>,
    /// Seals what signs webhooks; without it there are none.
    pub vault: Option<Arc<Vault>>,
    /// Limits and defaults.
    pub settings: ApiSettings,
    /// The signs of life of the worker in this process, if it has one.
    pub worker: Option<Vitals>,
    /// Renders the process' metrics in Prometheus' text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

impl fmt::Debug for ApiState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiState").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The state of one running API.
#[derive(Debug)]
pub struct Context {
    /// What it stands on.
    pub(crate) state: ApiState,
    /// Ends those who wait when the service stops.
    pub(crate) shutdown: CancellationToken,
    /// The keys presented lately.
    pub(crate) keyring: Keyring,
    /// Bounds the memory that bodies may take until their job is written.
    pub(crate) uploads: Semaphore,
    /// The models that jobs may name.
    pub(crate) catalog: Catalog,
    /// Who was let in just now.
    pub(crate) pressure: Pressure,
    /// What the store holds, as metrics show it.
    pub(crate) gauges: StoreGauges,
}

impl Context {
    /// A running API over `state` until `shutdown` is cancelled.
    #[must_use]
    pub fn new(state: ApiState, shutdown: CancellationToken) -> Arc<Self> {
        let uploads = Semaphore::new(state.settings.max_uploads);
        Arc::new(Self {
            state,
            shutdown,
            keyring: Keyring::default(),
            uploads,
            catalog: Catalog::default(),
            pressure: Pressure::default(),
            gauges: StoreGauges::default(),
        })
    }

    pub(crate) fn store(&self) -> &dyn Store {
        self.state.store.as_ref()
    }

    pub(crate) fn settings(&self) -> &ApiSettings {
        &self.state.settings
    }
}
