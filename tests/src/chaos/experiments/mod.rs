//! The experiments by name. Each takes a store and a scale, and reports.

mod api;
mod disk;
mod images;
mod network;
mod receivers;
mod redis;
mod workers;

use std::future::Future;
use std::pin::Pin;

use super::report::Report;
use super::scene::Scale;
use crate::harness::Backend;

const BOTH: &[Backend] = &[Backend::Sqlite, Backend::Redis];
const REDIS: &[Backend] = &[Backend::Redis];
const SQLITE: &[Backend] = &[Backend::Sqlite];

type Running = Pin<Box<dyn Future<Output = Report> + Send>>;

/// An experiment.
#[derive(Clone, Copy)]
pub struct Experiment {
    /// Its name.
    pub name: &'static str,
    /// What happens, and what must hold.
    pub about: &'static str,
    /// The stores that it applies to.
    pub stores: &'static [Backend],
    run: fn(Backend, Scale) -> Running,
}

impl Experiment {
    /// Runs it over one store.
    pub async fn run(&self, store: Backend, scale: Scale) -> Report {
        (self.run)(store, scale).await
    }
}

impl std::fmt::Debug for Experiment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Experiment").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The experiment of that name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Experiment> {
    ALL.iter().find(|experiment| experiment.name == name)
}

macro_rules! experiments {
    ($($name:literal, $stores:ident, $run:path, $about:literal;)*) => {
        /// Every experiment.
        pub const ALL: &[Experiment] = &[$(Experiment {
            name: $name,
            about: $about,
            stores: $stores,
            run: |store, scale| Box::pin($run(store, scale)),
        }),*];
    };
}

experiments! {
    "kill-worker", BOTH, workers::kill,
        "kill -9 of workers in the middle of a batch: others take over in time";
    "poison-item", BOTH, workers::poison,
        "an image that takes every worker down is given up after three, alone";
    "rolling-restart", BOTH, workers::rolling_restart,
        "SIGTERM to one process after the other under load: nobody notices";
    "kill-api", BOTH, api::kill,
        "kill -9 of the API during bodies, replies lost: one job for each key, no bytes stay";
    "redis-everysec", REDIS, redis::killed_everysec,
        "kill -9 of Redis with appendfsync everysec";
    "redis-always", REDIS, redis::killed_always,
        "kill -9 of Redis with appendfsync always";
    "redis-frozen", REDIS, redis::frozen,
        "Redis stopped by SIGSTOP: refusals in time, back at once";
    "redis-paused", REDIS, redis::paused,
        "CLIENT PAUSE: refusals in time, back at once";
    "redis-refused", REDIS, redis::refused,
        "Redis refuses connections for a while";
    "redis-full", REDIS, redis::full,
        "maxmemory is reached: what was taken is done, nothing is half-written";
    "redis-flushed", REDIS, redis::flushed,
        "FLUSHALL and SCRIPT FLUSH while running: nothing crashes";
    "slow-network", REDIS, network::slow,
        "300 ms ± 200 to Redis, one request in twenty loses its connection";
    "partition", REDIS, network::partition,
        "one worker's words arrive later than its leases: its results are fenced";
    "clock-jump", BOTH, network::clock,
        "a worker's wall clock jumps by hours: no lease ends early";
    "hanging-hosts", BOTH, images::hanging_hosts,
        "four of five image hosts hang, drip, flood or circle: the fifth keeps its pace";
    "poison-images", BOTH, images::poison,
        "one image in sixteen is none: it fails alone, and every worker lives";
    "receivers", BOTH, receivers::misbehaving,
        "receivers of webhooks hang, refuse, flood, reset or fall behind, senders are killed: \
         a healthy one has each event in time, the others later, none as two messages";
    "disk-full", SQLITE, disk::full,
        "the disk of the store and the uploads fills up: nothing is damaged";
    "herd", REDIS, api::herd,
        "two hundred clients wait while Redis goes and comes back";
}
