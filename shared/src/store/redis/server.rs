//! Calls to Redis, each with a deadline and its errors told apart.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool::managed::{Object, PoolError};
use redis::{Client, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, Value};
use tokio::time::{Instant, error::Elapsed, timeout_at};

use super::super::ended::JobEnd;
use super::super::{Resource, StoreError};
use super::address::Address;
use super::connection::{Manager, Pools};
use super::keys::{Shard, Shards};
use super::records::read_status;
use super::scripts::{Script, Scripts, Step};
use crate::clock::Clock;
use crate::domain::{JobId, Timestamp};

/// How long a verb may take, the wait for a connection included.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// When to ask a server again that has no memory left.
pub(super) const FULL_RETRY_AFTER: Duration = Duration::from_secs(5);

/// A job as a script tells that it ended: its model, its status, when it was
/// created and when it ended.
type EndingRow = (String, String, u64, u64);

/// A Redis server, or cluster, with the store's scripts.
pub(crate) struct Server {
    address: Address,
    pools: Pools,
    scripts: Scripts,
    shards: Shards,
    /// Counts the visits to all shards, so that each begins with another.
    turn: AtomicUsize,
    clock: Clock,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("clock", &self.clock).finish_non_exhaustive()
    }
}

impl Server {
    /// A server or cluster by its URL. Nothing is sent yet.
    pub(super) fn new(url: &str, shards: Shards, clock: Clock) -> Result<Self, StoreError> {
        let address = Address::parse(url)?;
        let pools = Pools::new(&address)?;
        // Processes that start together do not go round together.
        let turn = AtomicUsize::new(usize::from(rand::random::<u16>()));
        Ok(Self { address, pools, scripts: Scripts::new(), shards, turn, clock })
    }

    /// For connections that the pools cannot lend, because they wait.
    pub(super) fn clients(&self) -> Vec<Client> {
        self.address.clients()
    }

    /// The store's scripts.
    pub(super) const fn scripts(&self) -> &Scripts {
        &self.scripts
    }

    /// The shards of the store.
    pub(crate) const fn shards(&self) -> Shards {
        self.shards
    }

    /// Where a job lives.
    pub(crate) fn shard_of(&self, job: &JobId) -> Shard {
        self.shards.of(job)
    }

    /// All shards, beginning with another each time.
    pub(super) fn round(&self) -> impl Iterator<Item = Shard> + use<> {
        self.shards.beginning_at(self.turn.fetch_add(1, Ordering::Relaxed))
    }

    /// Begins a script call with what every script takes: the shard's key
    /// and the pinned time, if there is one.
    pub(super) fn step<'a>(&self, script: &'a Script, shard: Shard) -> Step<'a> {
        let mut step = script.step(shard.meta());
        step.arg(self.clock.pinned().map_or_else(String::new, |now| now.0.to_string()));
        step
    }

    /// Runs a script, which is sent first if the server does not know it.
    pub(super) async fn run<T: FromRedisValue>(&self, step: &Step<'_>) -> Result<T, StoreError> {
        let deadline = Instant::now() + ANSWER_WITHIN;
        let mut connection = self.connection(deadline).await?;
        let answer = timeout_at(deadline, step.invoke(&mut *connection)).await;
        hand_back(connection, answer)
    }

    /// Runs a script behind commands of the same shard, in one round trip.
    /// Each command must bear being given twice.
    pub(super) async fn run_after<T: FromRedisValue>(
        &self,
        commands: Vec<Cmd>,
        step: &Step<'_>,
    ) -> Result<T, StoreError> {
        if commands.is_empty() {
            return self.run(step).await;
        }
        let deadline = Instant::now() + ANSWER_WITHIN;
        let mut connection = self.connection(deadline).await?;
        let answer = timeout_at(deadline, step.invoke_after(commands, &mut *connection)).await;
        hand_back(connection, answer)
    }

    /// Runs a script that may end jobs, and reports those that it has ended.
    /// Those of an answer that is lost on the way stay unreported.
    pub(super) async fn run_ending<T: FromRedisValue>(
        &self,
        step: &Step<'_>,
    ) -> Result<T, StoreError> {
        let (answer, endings): (T, Vec<EndingRow>) = self.run(step).await?;
        for (model, status, created, ended) in endings {
            let status = read_status(&status)?;
            let took = Timestamp(ended).since(Timestamp(created));
            JobEnd { model, status, took }.report();
        }
        Ok(answer)
    }

    /// Runs plain commands of one shard, in one round trip. Should the server say
    /// no to any of them, because it is of a cluster and another has the slot by
    /// now, they are given one after the other.
    pub(super) async fn pipeline(&self, commands: &Pipeline) -> Result<Vec<Value>, StoreError> {
        let deadline = Instant::now() + ANSWER_WITHIN;
        let mut connection = self.connection(deadline).await?;
        let answers = timeout_at(deadline, async {
            match commands.query_async(&mut *connection).await {
                Err(error) if matches!(error.kind(), ErrorKind::Server(_)) => {}
                answers => return answers,
            }
            let mut answers = Vec::with_capacity(commands.len());
            for command in commands.cmd_iter() {
                answers.push(command.query_async(&mut *connection).await?);
            }
            Ok(answers)
        });
        let answers = answers.await;
        hand_back(connection, answers)
    }

    /// Runs a plain command.
    pub(super) async fn command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        self.command_within(command, ANSWER_WITHIN).await
    }

    /// Runs a plain command that may need longer.
    pub(crate) async fn command_within<T: FromRedisValue>(
        &self,
        command: &Cmd,
        patience: Duration,
    ) -> Result<T, StoreError> {
        let deadline = Instant::now() + patience;
        let mut connection = self.connection(deadline).await?;
        let answer = timeout_at(deadline, command.query_async(&mut *connection)).await;
        hand_back(connection, answer)
    }

    /// Asks every server of the store the same.
    pub(super) async fn everywhere<T: FromRedisValue>(
        &self,
        command: &Cmd,
    ) -> Result<Vec<T>, StoreError> {
        let deadline = Instant::now() + ANSWER_WITHIN;
        let mut connection = self.connection(deadline).await?;
        let answers = timeout_at(deadline, connection.everywhere(command)).await;
        hand_back(connection, answers)
    }

    async fn connection(&self, deadline: Instant) -> Result<Object<Manager>, StoreError> {
        match timeout_at(deadline, self.pools.get()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(PoolError::Backend(error))) => Err(store_error(&error)),
            Ok(Err(error)) => Err(StoreError::unavailable(error)),
            Err(_) => Err(StoreError::unavailable("no connection to Redis in time")),
        }
    }
}

/// A duration as scripts take it. Anything beyond three thousand years is cut
/// off, so that sums with it stay exact in Lua's numbers.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).min(100_000_000_000_000)
}

/// Returns a connection to the pool, unless it is broken or still owes an
/// answer.
fn hand_back<T>(
    connection: Object<Manager>,
    answer: Result<Result<T, RedisError>, Elapsed>,
) -> Result<T, StoreError> {
    match answer {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            if error.is_unrecoverable_error() {
                drop(Object::take(connection));
            }
            Err(store_error(&error))
        }
        Err(_) => {
            drop(Object::take(connection));
            Err(StoreError::unavailable("Redis did not answer in time"))
        }
    }
}

/// What an error of the client means to a caller of the store.
fn store_error(error: &RedisError) -> StoreError {
    match (error.code(), error.kind()) {
        (Some("OOM"), _) => StoreError::Exhausted {
            resource: Resource::Memory,
            detail: "Redis has used up its maxmemory and accepts no new work until jobs end or \
                     expire; raise maxmemory or shorten the retention"
                .to_owned(),
            retry_after: FULL_RETRY_AFTER,
        },
        (Some("NOPERM" | "NOAUTH" | "WRONGPASS"), _) | (_, ErrorKind::AuthenticationFailed) => {
            StoreError::Config(format!("Redis refuses this user: {error}"))
        }
        (_, ErrorKind::Parse | ErrorKind::UnexpectedReturnType) => {
            StoreError::Corrupt(error.to_string())
        }
        _ => StoreError::unavailable(error),
    }
}
