//! The models that jobs may name, as workers announced them a moment ago.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aisle_shared::domain::AnnouncedModel;
use aisle_shared::store::{Store, StoreError};
use tokio::time::Instant;

/// How long a reading counts. Reading means parsing every label of every
/// model, which costs more than all else about a small job.
const FRESH: Duration = Duration::from_secs(1);

/// What was read, and when.
type Reading = (Instant, Arc<[AnnouncedModel]>);

/// The models of the store, read at most once a second unless one is missed.
#[derive(Debug, Default)]
pub(crate) struct Catalog(Mutex<Option<Reading>>);

impl Catalog {
    /// The models as they were a second ago at most.
    pub(crate) async fn lately(
        &self,
        store: &dyn Store,
    ) -> Result<Arc<[AnnouncedModel]>, StoreError> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some((then, models)) if then.elapsed() < FRESH => Ok(models),
            Some(_) | None => self.now(store).await,
        }
    }

    /// The models as they are.
    pub(crate) async fn now(&self, store: &dyn Store) -> Result<Arc<[AnnouncedModel]>, StoreError> {
        let asked = Instant::now();
        let models: Arc<[AnnouncedModel]> = store.models().await?.into();
        let reading = Some((asked, Arc::clone(&models)));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reading;
        Ok(models)
    }
}
