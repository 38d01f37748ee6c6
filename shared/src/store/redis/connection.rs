//! The pool of connections to one Redis server.
//!
//! Each connection has a task of its own that reads and writes. It must not
//! end before the last who may use the connection: a thread of the HTTP server
//! that stops takes the tasks begun on it along, while requests on other
//! threads go on. So all are begun on the runtime that opened the store.

use std::sync::Arc;
use std::time::Duration;

use deadpool::managed::{self, Metrics, Pool, RecycleResult};
use deadpool_redis::Runtime;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError};
use tokio::runtime::Handle;

use super::super::StoreError;

/// Connections that one process opens at most.
const POOL_SIZE: usize = 32;

/// How long opening a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// A connection that was in use so recently is taken to be alive.
const FRESH: Duration = Duration::from_secs(1);

/// deadpool's Redis manager, but for its PING before each use, which would
/// double the round trips of a busy process.
pub(super) struct Manager {
    connections: Arc<deadpool_redis::Manager>,
    runtime: Handle,
}

impl managed::Manager for Manager {
    type Type = MultiplexedConnection;
    type Error = RedisError;

    async fn create(&self) -> Result<MultiplexedConnection, RedisError> {
        let connections = Arc::clone(&self.connections);
        let created = self.runtime.spawn(async move { connections.create().await });
        // The runtime that opened the store has gone, and the process with it.
        created.await.unwrap_or_else(|error| Err(std::io::Error::from(error).into()))
    }

    async fn recycle(
        &self,
        connection: &mut MultiplexedConnection,
        metrics: &Metrics,
    ) -> RecycleResult<RedisError> {
        if metrics.last_used() < FRESH {
            return Ok(());
        }
        self.connections.recycle(connection, metrics).await
    }
}

/// A pool for the server that a client points to. Opens nothing yet; what it
/// opens later lives on the runtime that this is called on.
pub(super) fn pool(client: &Client) -> Result<Pool<Manager>, StoreError> {
    // Deadlines are the caller's, for the wait for a connection and the
    // answer together, so the connection itself has none.
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_WITHIN))
        .set_response_timeout(None);
    let info = client.get_connection_info().clone();
    let manager = deadpool_redis::Manager::new_with_config(info, config)
        .map_err(|error| StoreError::Config(format!("the Redis URL is of no use: {error}")))?;
    let runtime = Handle::try_current().map_err(|error| StoreError::Config(error.to_string()))?;
    Pool::builder(Manager { connections: Arc::new(manager), runtime })
        .max_size(POOL_SIZE)
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| StoreError::Config(error.to_string()))
}
