//! Items that took a worker down before run alone: nothing else is in work
//! beside them, so they can take nothing else down.

use std::sync::Arc;

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// Lets many items through together, or one alone.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate(Arc<RwLock<()>>);

/// Leave to be in work.
#[derive(Debug, Clone)]
pub(super) enum Pass {
    /// Beside others.
    Shared { _guard: Arc<OwnedRwLockReadGuard<()>> },
    /// Beside none.
    Alone { _guard: Arc<OwnedRwLockWriteGuard<()>> },
}

impl Gate {
    /// Leave for any number of items. Waits while one is alone or wants to be.
    pub(super) async fn shared(&self) -> Pass {
        Pass::Shared { _guard: Arc::new(Arc::clone(&self.0).read_owned().await) }
    }

    /// Leave for one item. Waits until all others have ended.
    pub(super) async fn alone(&self) -> Pass {
        Pass::Alone { _guard: Arc::new(Arc::clone(&self.0).write_owned().await) }
    }
}
