//! The connections to one Redis server, or to a Redis Cluster.
//!
//! Each connection has a task of its own that reads and writes. It must not
//! end before the last who may use the connection: a thread of the HTTP server
//! that stops takes the tasks begun on it along, while requests on other
//! threads go on. So those that anyone may use are begun on the runtime that
//! opened the store. A thread with a runtime of its own has a few of its own
//! beside them, which nobody else uses: a call over one of these wakes no other
//! thread, there and back.
//!
//! A connection to a cluster is one to each of its nodes, and knows which of
//! them has which slot. It follows the slots that move, and nodes that take
//! the place of others. One that waits in vain is thrown away like any other,
//! so its successor asks anew who is there.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool::managed::{
    self, BuildError, Metrics, Object, Pool, PoolError, RecycleError, RecycleResult, TimeoutType,
    Timeouts,
};
use deadpool_redis::Runtime;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo};
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, Cmd, FromRedisValue, Pipeline, RedisError, RedisFuture, Value,
    cmd, from_redis_value,
};
use tokio::runtime::{Handle, Id, RuntimeFlavor};

use super::super::StoreError;
use super::address::Address;

/// Connections that all may use, at most.
const POOL_SIZE: usize = 32;

/// Connections that a thread with a runtime of its own has at most. Where they
/// do not suffice, it uses those that all may use.
const POOL_SIZE_OF_A_THREAD: usize = 4;

/// How long opening a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// A connection that was in use so recently is taken to be alive.
const FRESH: Duration = Duration::from_secs(1);

/// How long a node of a cluster may take: longer than any caller waits.
const NODE_ANSWERS_WITHIN: Duration = Duration::from_secs(60);

/// Pauses in ms before a cluster is asked again that has no node for a slot,
/// as while one takes another's place.
const PAUSES: (u64, u64) = (20, 200);

/// One connection.
pub(super) enum Connection {
    /// To a server.
    One(MultiplexedConnection),
    /// To all nodes of a cluster.
    Cluster(Box<ClusterConnection>),
}

impl Connection {
    /// Asks every server that may have jobs.
    pub(super) async fn everywhere<T: FromRedisValue>(
        &mut self,
        command: &Cmd,
    ) -> Result<Vec<T>, RedisError> {
        match self {
            Self::One(connection) => Ok(vec![command.query_async(connection).await?]),
            Self::Cluster(connection) => {
                let masters = (MultipleNodeRoutingInfo::AllMasters, None);
                let answers =
                    connection.route_command(command.clone(), RoutingInfo::MultiNode(masters));
                let answers: HashMap<String, Value> = from_redis_value(answers.await?)?;
                let answers = answers.into_values().map(|value| Ok(from_redis_value(value)?));
                answers.collect()
            }
        }
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(connection) => connection.req_packed_command(command),
            Self::Cluster(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}

/// How connections are made.
enum Kind {
    One(deadpool_redis::Manager),
    Cluster(ClusterClient),
}

impl Kind {
    async fn connect(&self) -> Result<Connection, RedisError> {
        match self {
            Self::One(manager) => Ok(Connection::One(managed::Manager::create(manager).await?)),
            Self::Cluster(client) => {
                Ok(Connection::Cluster(Box::new(client.get_async_connection().await?)))
            }
        }
    }
}

/// deadpool's Redis manager, but for its PING before each use, which would
/// double the round trips of a busy process.
pub(super) struct Manager {
    kind: Arc<Kind>,
    runtime: Handle,
}

impl managed::Manager for Manager {
    type Type = Connection;
    type Error = RedisError;

    async fn create(&self) -> Result<Connection, RedisError> {
        let kind = Arc::clone(&self.kind);
        let created = self.runtime.spawn(async move { kind.connect().await });
        // The runtime that opened the store has gone, and the process with it.
        created.await.unwrap_or_else(|error| Err(std::io::Error::from(error).into()))
    }

    async fn recycle(
        &self,
        connection: &mut Connection,
        metrics: &Metrics,
    ) -> RecycleResult<RedisError> {
        if metrics.last_used() < FRESH {
            return Ok(());
        }
        match (connection, &*self.kind) {
            (Connection::One(connection), Kind::One(manager)) => {
                managed::Manager::recycle(manager, connection, metrics).await
            }
            // A cluster with a node that is down answers for the others.
            (Connection::Cluster(_), _) => Ok(()),
            (Connection::One(connection), Kind::Cluster(_)) => {
                let pong: Result<String, _> = cmd("PING").query_async(connection).await;
                pong.map(drop).map_err(RecycleError::Backend)
            }
        }
    }
}

/// The connections to a server, or a cluster.
pub(super) struct Pools {
    kind: Arc<Kind>,
    /// Those that all may use.
    common: Pool<Manager>,
    /// The runtime on which they live.
    home: Id,
    /// Those of threads with a runtime of their own, by that.
    own: Mutex<HashMap<Id, Pool<Manager>>>,
}

impl Pools {
    /// Opens nothing yet. What all may use lives on the runtime that this is
    /// called on.
    ///
    /// # Errors
    /// [`StoreError::Config`] when the address is of no use.
    pub(super) fn new(address: &Address) -> Result<Self, StoreError> {
        let kind = match address {
            Address::One(client) => Kind::One(one(client).map_err(|error| of_no_use(&error))?),
            Address::Cluster { nodes, .. } => {
                Kind::Cluster(cluster(nodes).map_err(|error| of_no_use(&error))?)
            }
        };
        let kind = Arc::new(kind);
        let runtime =
            Handle::try_current().map_err(|error| StoreError::Config(error.to_string()))?;
        let home = runtime.id();
        let common = pool(&kind, runtime, POOL_SIZE)
            .map_err(|error| StoreError::Config(error.to_string()))?;
        Ok(Self { kind, common, home, own: Mutex::default() })
    }

    /// A connection that nobody else uses until it is dropped.
    ///
    /// # Errors
    /// When none can be opened.
    pub(super) async fn get(&self) -> Result<Object<Manager>, PoolError<RedisError>> {
        if let Some(own) = self.own() {
            match own.timeout_get(&AT_ONCE).await {
                Err(PoolError::Timeout(TimeoutType::Wait)) => {}
                got => return got,
            }
        }
        self.common.get().await
    }

    /// The connections of this thread, if it has a runtime of its own.
    fn own(&self) -> Option<Pool<Manager>> {
        let runtime = Handle::try_current().ok()?;
        if runtime.id() == self.home || runtime.runtime_flavor() != RuntimeFlavor::CurrentThread {
            return None;
        }
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        match own.entry(runtime.id()) {
            Entry::Occupied(pool) => Some(pool.get().clone()),
            Entry::Vacant(place) => {
                let pool = pool(&self.kind, runtime, POOL_SIZE_OF_A_THREAD).ok()?;
                Some(place.insert(pool).clone())
            }
        }
    }
}

/// Not to be waited for while others have all.
const AT_ONCE: Timeouts = Timeouts { wait: Some(Duration::ZERO), create: None, recycle: None };

fn pool(kind: &Arc<Kind>, runtime: Handle, size: usize) -> Result<Pool<Manager>, BuildError> {
    let manager = Manager { kind: Arc::clone(kind), runtime };
    Pool::builder(manager).max_size(size).runtime(Runtime::Tokio1).build()
}

fn one(client: &Client) -> Result<deadpool_redis::Manager, RedisError> {
    // Deadlines are the caller's, for the wait for a connection and the
    // answer together, so the connection itself has none.
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_WITHIN))
        .set_response_timeout(None);
    let address = client.get_connection_info().clone().set_tcp_settings(at_once());
    deadpool_redis::Manager::new_with_config(address, config)
}

fn cluster(nodes: &[String]) -> Result<ClusterClient, RedisError> {
    let (shortest, longest) = PAUSES;
    ClusterClientBuilder::new(nodes.iter().map(String::as_str))
        .tcp_settings(at_once())
        .connection_timeout(CONNECT_WITHIN)
        .response_timeout(NODE_ANSWERS_WITHIN)
        .min_retry_wait(shortest)
        .max_retry_wait(longest)
        .build()
}

/// What is written is sent, and does not wait until what was sent before has been
/// acknowledged (Nagle's algorithm): the end of a large upload would.
fn at_once() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

/// The error of a wrong URL does not repeat it.
pub(super) fn of_no_use(error: &RedisError) -> StoreError {
    StoreError::Config(format!("the Redis URL is of no use: {error}"))
}
