//! A store of either kind, alone in the world, with its clock in hand.
//!
//! This is the one place in the tests that knows how a backend is opened and
//! what it keeps where.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::Arc;

use aisle_shared::blob::{BlobStore, FileBlobs, SqliteBlobs};
use aisle_shared::clock::{Clock, ManualClock};
use aisle_shared::disk::Reserve;
use aisle_shared::domain::Timestamp;
use aisle_shared::store::{
    RedisOptions, RedisStore, SqliteOptions, SqliteStore, Store, StoreLimits,
};
use redis::AsyncTypedCommands as _;
use tempfile::TempDir;

use crate::redis_cluster::SharedCluster;
use crate::redis_server::RedisServer;

/// Live items that a store of the harness takes, unless told otherwise.
pub const MAX_LIVE_ITEMS: u64 = 100_000;

/// Shards of a store that is parted: more than a cluster has nodes, and each
/// of these has one or more.
pub const SHARDS: NonZeroU16 = NonZeroU16::MIN.saturating_add(3);

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// A file of its own.
    Sqlite,
    /// A server of its own.
    Redis,
}

#[derive(Debug)]
enum Place {
    Sqlite(TempDir),
    Redis(RedisServer, NonZeroU16),
    Cluster(SharedCluster),
}

/// A fresh database and a first handle to it.
pub struct Harness {
    /// The store under test.
    pub store: Arc<dyn Store>,
    /// The clock of every handle, unless it was given its own.
    pub clock: ManualClock,
    place: Place,
}

impl Harness {
    /// An empty store of that kind.
    ///
    /// # Errors
    /// When the server or the file cannot be had.
    pub async fn new(backend: Backend) -> anyhow::Result<Self> {
        Self::at(place(backend).await?).await
    }

    /// An empty store of [`SHARDS`] on one Redis server.
    ///
    /// # Errors
    /// When the server cannot be had.
    pub async fn of_shards() -> anyhow::Result<Self> {
        Self::at(Place::Redis(RedisServer::start().await?, SHARDS)).await
    }

    /// An empty store of [`SHARDS`] on a Redis Cluster, which it has for itself.
    ///
    /// # Errors
    /// When the cluster cannot be had.
    pub async fn of_cluster() -> anyhow::Result<Self> {
        Self::at(Place::Cluster(SharedCluster::borrow().await?)).await
    }

    async fn at(place: Place) -> anyhow::Result<Self> {
        // Today, because a server may compare a stored expiry with its own clock.
        let clock = ManualClock::at(Timestamp::now());
        let store = open(&place, &clock, StoreLimits::of_items(MAX_LIVE_ITEMS)).await?;
        Ok(Self { store, clock, place })
    }

    /// An empty store whose clock goes, for so many live items.
    ///
    /// # Errors
    /// When the server or the file cannot be had.
    pub async fn in_real_time(backend: Backend, items: u64) -> anyhow::Result<Self> {
        let place = place(backend).await?;
        let store = open_by(&place, Clock::Store, StoreLimits::of_items(items)).await?;
        Ok(Self { store, clock: ManualClock::at(Timestamp::now()), place })
    }

    /// Bytes that the store takes: of memory in Redis, of files in SQLite.
    ///
    /// # Errors
    /// When the server does not answer, or the files cannot be read.
    pub async fn bytes(&self) -> anyhow::Result<u64> {
        match &self.place {
            Place::Sqlite(folder) => {
                let files = std::fs::read_dir(folder.path())?;
                files.map(|file| Ok(file?.metadata()?.len())).sum()
            }
            Place::Redis(server, _) => Ok(used_memory(server).await?),
            Place::Cluster(cluster) => {
                let mut bytes = 0;
                for node in &cluster.nodes {
                    bytes += used_memory(node).await?;
                }
                Ok(bytes)
            }
        }
    }

    /// Another handle to the same store, as another process would have it.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub async fn another_handle(&self) -> anyhow::Result<Arc<dyn Store>> {
        self.handle_limited_to(MAX_LIVE_ITEMS).await
    }

    /// The uploads that are kept with the jobs, as another process would have
    /// them.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub async fn blobs(&self) -> anyhow::Result<Arc<dyn BlobStore>> {
        let limits = StoreLimits::of_items(MAX_LIVE_ITEMS);
        let clock = Clock::Manual(self.clock.clone());
        Ok(match &self.place {
            Place::Sqlite(folder) => {
                let store = sqlite(folder.path(), limits, clock)?;
                let files = FileBlobs::open(folder.path().join("uploads"))?;
                Arc::new(SqliteBlobs::new(Arc::new(store), files))
            }
            Place::Redis(server, shards) => {
                Arc::new(redis(server.url(), *shards, limits, clock).await?.blobs())
            }
            Place::Cluster(cluster) => {
                Arc::new(redis(cluster.url(), SHARDS, limits, clock).await?.blobs())
            }
        })
    }

    /// A handle that lets fewer items live at once.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub async fn handle_limited_to(&self, items: u64) -> anyhow::Result<Arc<dyn Store>> {
        self.handle_within(StoreLimits::of_items(items)).await
    }

    /// A handle with limits of its own.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub async fn handle_within(&self, limits: StoreLimits) -> anyhow::Result<Arc<dyn Store>> {
        open(&self.place, &self.clock, limits).await
    }

    /// A handle whose clock shows another time.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub async fn handle_at(&self, clock: &ManualClock) -> anyhow::Result<Arc<dyn Store>> {
        open(&self.place, clock, StoreLimits::of_items(MAX_LIVE_ITEMS)).await
    }

    /// What the store really keeps: rows by table, or members by key.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn entries(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        match &self.place {
            Place::Sqlite(folder) => rows(&database(folder.path())),
            Place::Redis(server, _) => members(server).await,
            Place::Cluster(cluster) => {
                let mut entries = BTreeMap::new();
                for node in &cluster.nodes {
                    entries.append(&mut members(node).await?);
                }
                Ok(entries)
            }
        }
    }
}

fn database(folder: &Path) -> std::path::PathBuf {
    folder.join("aisle.db")
}

async fn used_memory(server: &RedisServer) -> anyhow::Result<u64> {
    Ok(server.info("memory", "used_memory").await?.parse()?)
}

async fn place(backend: Backend) -> anyhow::Result<Place> {
    Ok(match backend {
        Backend::Sqlite => Place::Sqlite(tempfile::tempdir()?),
        Backend::Redis => Place::Redis(RedisServer::start().await?, NonZeroU16::MIN),
    })
}

async fn open(
    place: &Place,
    clock: &ManualClock,
    limits: StoreLimits,
) -> anyhow::Result<Arc<dyn Store>> {
    open_by(place, Clock::Manual(clock.clone()), limits).await
}

async fn open_by(
    place: &Place,
    clock: Clock,
    limits: StoreLimits,
) -> anyhow::Result<Arc<dyn Store>> {
    Ok(match place {
        Place::Sqlite(folder) => Arc::new(sqlite(folder.path(), limits, clock)?),
        Place::Redis(server, shards) => {
            Arc::new(redis(server.url(), *shards, limits, clock).await?)
        }
        Place::Cluster(cluster) => Arc::new(redis(cluster.url(), SHARDS, limits, clock).await?),
    })
}

fn sqlite(folder: &Path, limits: StoreLimits, clock: Clock) -> anyhow::Result<SqliteStore> {
    let path = database(folder);
    let options = SqliteOptions { path, limits, reserve: Reserve::NONE, ballast: 0, clock };
    Ok(SqliteStore::open(options)?)
}

async fn redis(
    url: String,
    shards: NonZeroU16,
    limits: StoreLimits,
    clock: Clock,
) -> anyhow::Result<RedisStore> {
    let options = RedisOptions { url, shards, limits, danger_allow_volatile: false, clock };
    Ok(RedisStore::connect(options).await?)
}

fn rows(database: &Path) -> anyhow::Result<BTreeMap<String, u64>> {
    let connection = rusqlite::Connection::open(database)?;
    let mut tables =
        connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?;
    let names = tables.query_map([], |row| row.get::<_, String>(0))?;
    let mut entries = BTreeMap::new();
    for name in names {
        let name = name?;
        let count = format!("SELECT count(*) FROM \"{name}\"");
        let count = connection.query_row(&count, [], |row| row.get::<_, i64>(0))?;
        entries.insert(name, u64::try_from(count)?);
    }
    Ok(entries)
}

async fn members(server: &RedisServer) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut connection = server.connect().await?;
    let mut entries = BTreeMap::new();
    // Fine for a test's few thousand keys; the store itself never does this.
    for key in connection.keys("*").await? {
        let kind: String = redis::cmd("TYPE").arg(&key).query_async(&mut connection).await?;
        let count = match kind.as_str() {
            "hash" => connection.hlen(&key).await?,
            "zset" => connection.zcard(&key).await?,
            "set" => connection.scard(&key).await?,
            "list" => connection.llen(&key).await?,
            _ => 1,
        };
        entries.insert(key, u64::try_from(count)?);
    }
    Ok(entries)
}
