//! A real Redis Cluster on loopback: three masters without replicas.

use std::ops::Deref;
use std::sync::{Arc, Mutex as StdMutex, PoisonError, Weak};
use std::time::Duration;

use anyhow::Context as _;
use redis::cmd;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, sleep};

use crate::places::free_port;
use crate::redis_server::RedisServer;

/// Nodes of a cluster.
pub const NODES: usize = 3;

/// Hash slots of any cluster.
const SLOTS: usize = 16_384;

/// How long the nodes may take to find each other.
const AGREED_WITHIN: Duration = Duration::from_secs(30);

/// Silence in ms after which a node is taken to be down.
const NODE_TIMEOUT: &str = "2000";

/// A running cluster that dies with this value.
#[derive(Debug)]
pub struct RedisCluster {
    /// Its nodes; each holds a third of the slots.
    pub nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts the nodes, shares the slots out and waits until they agree.
    ///
    /// # Errors
    /// When this machine has no Redis, or it has no cluster.
    pub async fn start() -> anyhow::Result<Self> {
        let mut nodes = Vec::new();
        for _ in 0..NODES {
            let bus = free_port().to_string();
            let settings = [
                ("cluster-enabled", "yes"),
                ("cluster-port", bus.as_str()),
                ("cluster-node-timeout", NODE_TIMEOUT),
            ];
            nodes.push(RedisServer::start_with(&settings).await?);
        }
        let cluster = Self { nodes };
        cluster.share_slots().await.context("the nodes form no cluster")?;
        cluster.agreed().await?;
        Ok(cluster)
    }

    /// As the store's setting has it.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.nodes.iter().map(|node| node.address().to_string()).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// Waits until every node has every slot covered.
    ///
    /// # Errors
    /// When that takes too long.
    pub async fn agreed(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + AGREED_WITHIN;
        for node in &self.nodes {
            loop {
                match agrees(node).await {
                    Ok(true) => break,
                    Ok(false) | Err(_) if Instant::now() < deadline => {
                        sleep(Duration::from_millis(10)).await;
                    }
                    Ok(false) => anyhow::bail!("the nodes do not agree"),
                    Err(error) => return Err(error.context("a node does not answer")),
                }
            }
        }
        Ok(())
    }

    /// Moves one slot with all its keys to another node, as `redis-cli
    /// --cluster reshard` does, while clients go on.
    ///
    /// # Errors
    /// When a node refuses.
    pub async fn move_slot_of(&self, key: &str, to: usize) -> anyhow::Result<usize> {
        let mut connections = Vec::new();
        let mut ids: Vec<String> = Vec::new();
        for node in &self.nodes {
            let mut connection = node.connect().await?;
            ids.push(cmd("CLUSTER").arg("MYID").query_async(&mut connection).await?);
            connections.push(connection);
        }
        let slot: u16 =
            cmd("CLUSTER").arg("KEYSLOT").arg(key).query_async(&mut connections[0]).await?;
        let mut from = None;
        for (place, connection) in connections.iter_mut().enumerate() {
            let nodes: String = cmd("CLUSTER").arg("NODES").query_async(connection).await?;
            let own = nodes.lines().find(|line| line.contains("myself")).unwrap_or_default();
            if own.split_whitespace().skip(8).any(|range| holds(range, slot)) {
                from = Some(place);
            }
        }
        let from = from.context("nobody has the slot")?;
        anyhow::ensure!(from != to, "the slot is there already");
        let set = |state: &str, node: &str| {
            let mut set = cmd("CLUSTER");
            set.arg("SETSLOT").arg(slot).arg(state).arg(node);
            set
        };
        set("IMPORTING", &ids[from]).exec_async(&mut connections[to]).await?;
        set("MIGRATING", &ids[to]).exec_async(&mut connections[from]).await?;
        let mut moved = 0;
        loop {
            let keys: Vec<String> = cmd("CLUSTER")
                .arg("GETKEYSINSLOT")
                .arg(slot)
                .arg(50)
                .query_async(&mut connections[from])
                .await?;
            if keys.is_empty() {
                break;
            }
            moved += keys.len();
            let address = self.nodes[to].address();
            let mut migrate = cmd("MIGRATE");
            migrate.arg(address.ip().to_string()).arg(address.port()).arg("").arg(0).arg(5_000);
            migrate.arg("KEYS").arg(keys);
            migrate.exec_async(&mut connections[from]).await?;
        }
        for place in [to, from] {
            set("NODE", &ids[to]).exec_async(&mut connections[place]).await?;
        }
        for (place, connection) in connections.iter_mut().enumerate() {
            if place != to && place != from {
                set("NODE", &ids[to]).exec_async(connection).await?;
            }
        }
        Ok(moved)
    }

    /// Forgets all data of all nodes.
    ///
    /// # Errors
    /// When a node does not answer.
    pub async fn flush(&self) -> anyhow::Result<()> {
        for node in &self.nodes {
            cmd("FLUSHALL").exec_async(&mut node.connect().await?).await?;
        }
        Ok(())
    }

    async fn share_slots(&self) -> anyhow::Result<()> {
        for (place, node) in self.nodes.iter().enumerate() {
            let mut connection = node.connect().await?;
            let (first, next) = (place * SLOTS / NODES, (place + 1) * SLOTS / NODES);
            let mut add = cmd("CLUSTER");
            add.arg("ADDSLOTSRANGE").arg(first).arg(next - 1);
            add.exec_async(&mut connection).await?;
            let mut epoch = cmd("CLUSTER");
            epoch.arg("SET-CONFIG-EPOCH").arg(place + 1);
            epoch.exec_async(&mut connection).await?;
        }
        let mut first = self.nodes[0].connect().await?;
        for node in &self.nodes[1..] {
            let bus: (String, u16) = cmd("CONFIG")
                .arg("GET")
                .arg("cluster-port")
                .query_async(&mut node.connect().await?)
                .await?;
            let address = node.address();
            let mut meet = cmd("CLUSTER");
            meet.arg("MEET").arg(address.ip().to_string()).arg(address.port()).arg(bus.1);
            meet.exec_async(&mut first).await?;
        }
        Ok(())
    }
}

async fn agrees(node: &RedisServer) -> anyhow::Result<bool> {
    let info: String = cmd("CLUSTER").arg("INFO").query_async(&mut node.connect().await?).await?;
    let says = |line: &str| info.lines().any(|it| it.trim() == line);
    Ok(says("cluster_state:ok")
        && says(&format!("cluster_slots_ok:{SLOTS}"))
        && says(&format!("cluster_size:{NODES}")))
}

fn holds(range: &str, slot: u16) -> bool {
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    match (first.parse::<u16>(), last.parse::<u16>()) {
        (Ok(first), Ok(last)) => (first..=last).contains(&slot),
        _ => false,
    }
}

/// A cluster that one test after the other has for itself, empty: to start one
/// takes seconds. The last test that waits for it takes it down.
#[derive(Debug)]
pub struct SharedCluster {
    cluster: Arc<RedisCluster>,
    _turn: OwnedMutexGuard<Kept>,
}

type Kept = Option<Arc<RedisCluster>>;

static KEPT: StdMutex<Weak<Mutex<Kept>>> = StdMutex::new(Weak::new());

impl SharedCluster {
    /// Waits for the turn, and starts a cluster if there is none.
    ///
    /// # Errors
    /// When this machine has no Redis, or it has no cluster.
    pub async fn borrow() -> anyhow::Result<Self> {
        let kept = {
            let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
            kept.upgrade().unwrap_or_else(|| {
                let new = Arc::new(Mutex::new(None));
                *kept = Arc::downgrade(&new);
                new
            })
        };
        let mut turn = kept.lock_owned().await;
        let cluster = match &*turn {
            Some(cluster) => Arc::clone(cluster),
            None => Arc::clone(turn.insert(Arc::new(RedisCluster::start().await?))),
        };
        cluster.flush().await?;
        Ok(Self { cluster, _turn: turn })
    }
}

impl Deref for SharedCluster {
    type Target = RedisCluster;

    fn deref(&self) -> &RedisCluster {
        &self.cluster
    }
}
