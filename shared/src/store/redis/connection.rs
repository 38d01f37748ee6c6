//! The pool of connections to one Redis server.

use std::time::Duration;

use deadpool::managed::{self, Metrics, Pool, RecycleResult};
use deadpool_redis::Runtime;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError};

use super::super::StoreError;

/// Connections that one process opens at most.
const POOL_SIZE: usize = 32;

/// How long opening a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// A connection that was in use so recently is taken to be alive.
const FRESH: Duration = Duration::from_secs(1);

/// deadpool's Redis manager, but for its PING before each use, which would
/// double the round trips of a busy process.
pub(super) struct Manager(deadpool_redis::Manager);

impl managed::Manager for Manager {
    type Type = MultiplexedConnection;
    type Error = RedisError;

    async fn create(&self) -> Result<MultiplexedConnection, RedisError> {
        self.0.create().await
    }

    async fn recycle(
        &self,
        connection: &mut MultiplexedConnection,
        metrics: &Metrics,
    ) -> RecycleResult<RedisError> {
        if metrics.last_used() < FRESH {
            return Ok(());
        }
        self.0.recycle(connection, metrics).await
    }
}

/// A pool for the server that a client points to. Opens nothing yet.
pub(super) fn pool(client: &Client) -> Result<Pool<Manager>, StoreError> {
    // Deadlines are the caller's, for the wait for a connection and the
    // answer together, so the connection itself has none.
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_WITHIN))
        .set_response_timeout(None);
    let info = client.get_connection_info().clone();
    let manager = deadpool_redis::Manager::new_with_config(info, config)
        .map_err(|error| StoreError::Config(format!("the Redis URL is of no use: {error}")))?;
    Pool::builder(Manager(manager))
        .max_size(POOL_SIZE)
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| StoreError::Config(error.to_string()))
}
