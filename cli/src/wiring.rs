//! Which store and which blobs: the only place that knows the backends.

use std::sync::Arc;

use aisle_shared::blob::{BlobStore, FileBlobs, SqliteBlobs};
use aisle_shared::clock::Clock;
use aisle_shared::store::{RedisOptions, RedisStore, SqliteOptions, SqliteStore, Store};
use aisle_shared::webhook::Vault;
use anyhow::Context;

use crate::secret_key;
use crate::settings::{BlobsSetting, Settings, StoreSetting};

/// File in the data folder with the key that was made here.
const SECRET_KEY: &str = "secret.key";

/// Folder of uploads in the data folder.
const UPLOADS: &str = "uploads";

/// Where jobs and uploads are kept.
pub(crate) struct Backends {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) blobs: Arc<dyn BlobStore>,
    /// What seals secrets; `None` where no process knows the others' key.
    pub(crate) vault: Option<Arc<Vault>>,
}

/// Opens what the settings name.
///
/// # Errors
/// When it cannot be opened or reached, or is not set up as it has to be.
pub(crate) async fn open(settings: &Settings) -> anyhow::Result<Backends> {
    let vault = vault(settings).context("the secret key (AISLE_SECRET_KEY)")?.map(Arc::new);
    let files = || {
        let files = FileBlobs::open(settings.data.join(UPLOADS)).context("uploads (AISLE_DATA)");
        files.map(|files| files.leaving(settings.reserve))
    };
    match &settings.store {
        StoreSetting::Sqlite(path) => {
            let store = SqliteStore::open(SqliteOptions {
                path: path.clone(),
                limits: settings.limits.clone(),
                reserve: settings.reserve,
                ballast: settings.ballast,
                clock: Clock::Store,
            })
            .with_context(|| format!("the store {} (AISLE_STORE)", path.display()))?;
            let store = Arc::new(store);
            let blobs: Arc<dyn BlobStore> = match settings.blobs {
                BlobsSetting::Store => Arc::new(SqliteBlobs::new(Arc::clone(&store), files()?)),
                BlobsSetting::Files => Arc::new(files()?),
            };
            Ok(Backends { store, blobs, vault })
        }
        StoreSetting::Redis(url) => {
            let store = RedisStore::connect(RedisOptions {
                url: url.reveal().to_owned(),
                shards: settings.redis_shards,
                limits: settings.limits.clone(),
                danger_allow_volatile: settings.danger_allow_volatile_redis,
                clock: Clock::Store,
            })
            .await
            .with_context(|| format!("the store {url} (AISLE_STORE)"))?;
            let blobs: Arc<dyn BlobStore> = match settings.blobs {
                BlobsSetting::Store => Arc::new(store.blobs()),
                BlobsSetting::Files => Arc::new(files()?),
            };
            Ok(Backends { store: Arc::new(store), blobs, vault })
        }
    }
}

/// The keys that were given. Processes over one SQLite file share a folder, and
/// so a key that the first of them makes; those over Redis share nothing else,
/// and each would make its own.
fn vault(settings: &Settings) -> anyhow::Result<Option<Vault>> {
    let given = settings.secret_key.clone();
    let keys = match (given, &settings.secret_key_file, &settings.store) {
        (Some(keys), _, _) => keys,
        (None, Some(file), _) => secret_key::read(file)?,
        (None, None, StoreSetting::Sqlite(_)) => {
            secret_key::read_or_make(&settings.data.join(SECRET_KEY))?
        }
        (None, None, StoreSetting::Redis(_)) => return Ok(None),
    };
    Ok(Vault::new(&keys))
}
