//! The processes of an experiment: real ones of the real binary, each of
//! which can be killed, frozen, asked to stop and started again alone.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use aisle_shared::webhook::MasterKey;
use tempfile::TempDir;

use super::load::{Targets, client};
use super::process::{Process, Role};
use crate::harness::Backend;
use crate::places::{free_port, repository};
use crate::redis_server::RedisServer;
use crate::service::binary;
use crate::{tiny_model, wait};

/// What to start with.
#[derive(Debug, Default)]
pub struct Plan {
    /// Processes of `aisle api`.
    pub apis: usize,
    /// Processes of `aisle worker`.
    pub workers: usize,
    /// Environment variables of all.
    pub settings: Vec<(&'static str, String)>,
    /// Settings of the Redis server, such as `appendfsync always`.
    pub redis: Vec<(&'static str, &'static str)>,
    /// Where the service's files are, instead of a folder of its own.
    pub data: Option<PathBuf>,
}

impl Plan {
    /// So many processes of each kind, with defaults.
    #[must_use]
    pub fn of(apis: usize, workers: usize) -> Self {
        Self { apis, workers, ..Self::default() }
    }

    /// The same with one more environment variable for all.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.settings.push((name, value.into()));
        self
    }

    /// The same with webhooks, to receivers on loopback too.
    #[must_use]
    pub fn with_webhooks(self) -> Self {
        let key = MasterKey::generate().reveal().to_string();
        self.with("AISLE_DANGER_ALLOW_PRIVATE_NETWORKS", "true").with("AISLE_SECRET_KEY", key)
    }
}

/// The processes over one store.
#[derive(Debug)]
pub struct Fleet {
    /// Which store.
    pub backend: Backend,
    /// The server of a fleet over Redis.
    pub redis: Option<RedisServer>,
    /// Processes of `aisle api`, or of `aisle serve`.
    pub apis: Vec<Process>,
    /// Processes of `aisle worker`.
    pub workers: Vec<Process>,
    /// A client for all.
    pub client: reqwest::Client,
    environment: Vec<(&'static str, String)>,
    started: usize,
    /// Images through networks, by process, as last seen.
    executions: BTreeMap<usize, u64>,
    data: PathBuf,
    // Removed last, when the processes that write into it have gone.
    folder: TempDir,
}

impl Fleet {
    /// Starts the processes over a fresh store with the tests' tiny network,
    /// and waits until they work.
    ///
    /// # Panics
    /// When they do not come up; the panic shows their logs.
    pub async fn start(backend: Backend, plan: Plan) -> Self {
        let mut fleet = Self::prepare(backend, &plan).await;
        fleet.start_processes(&plan).await;
        fleet
    }

    /// Starts the processes of a plan and waits until they work.
    ///
    /// # Panics
    /// When they do not come up; the panic shows their logs.
    pub async fn start_processes(&mut self, plan: &Plan) {
        for _ in 0..plan.apis {
            let role = if plan.workers == 0 { Role::Serve } else { Role::Api };
            let api = self.spawn(role, &[]);
            self.apis.push(api);
        }
        for _ in 0..plan.workers {
            let worker = self.spawn(Role::Worker, &[]);
            self.workers.push(worker);
        }
        self.wait_until_ready().await;
    }

    /// Sets an environment variable of the processes that are yet to start.
    pub fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.environment.push((name, value.into()));
    }

    /// The store and the folders, with no process yet.
    ///
    /// # Panics
    /// When there is no Redis, or no folder can be made.
    pub async fn prepare(backend: Backend, plan: &Plan) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let models = folder.path().join("models");
        tiny_model::write(&models, "tiny").expect("a model folder");
        let redis = match backend {
            Backend::Sqlite => None,
            Backend::Redis => {
                Some(RedisServer::start_with(&plan.redis).await.expect("a Redis server"))
            }
        };
        let data = plan.data.clone().unwrap_or_else(|| folder.path().join("data"));
        let store = match &redis {
            None => format!("sqlite:{}", data.join("aisle.db").display()),
            Some(server) => server.url(),
        };
        let mut environment = vec![
            ("AISLE_STORE", store),
            ("AISLE_DATA", data.display().to_string()),
            ("AISLE_MODELS", models.display().to_string()),
            ("AISLE_THREADS", "1".to_owned()),
            ("AISLE_MIN_FREE_MIB", "0".to_owned()),
            ("AISLE_BALLAST_MIB", "0".to_owned()),
            // Few pictures, many times: each is to be worked on.
            ("AISLE_CACHE_MAX_ENTRIES", "0".to_owned()),
        ];
        environment.extend(plan.settings.iter().cloned());
        Self {
            backend,
            redis,
            apis: Vec::new(),
            workers: Vec::new(),
            client: client(),
            environment,
            started: 0,
            executions: BTreeMap::new(),
            data,
            folder,
        }
    }

    /// Starts one more process. `settings` go before those of the fleet.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(&mut self, role: Role, settings: &[(&str, &str)]) -> Process {
        self.spawn_at(role, &format!("127.0.0.1:{}", free_port()), settings)
    }

    /// The same at an address that another process had before.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn_at(&mut self, role: Role, address: &str, settings: &[(&str, &str)]) -> Process {
        self.started += 1;
        let name = format!("{:03}-{}.log", self.started, role.command());
        let log = self.folder.path().join(name);
        let file = File::create(&log).expect("a log file");
        let listen = match role {
            Role::Api | Role::Serve => "AISLE_LISTEN",
            Role::Worker => "AISLE_ADMIN_LISTEN",
        };
        let child = Command::new(binary())
            .arg(role.command())
            .current_dir(repository())
            .envs(self.environment.iter().map(|(name, value)| (*name, value.as_str())))
            .env(listen, address)
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a log file"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", binary().display()));
        Process::new(role, child, address.to_owned(), log)
    }

    /// A new process in the place of one that has gone, at its address.
    pub fn respawn(&mut self, role: Role, base: &str) -> Process {
        self.spawn_at(role, base.trim_start_matches("http://"), &[])
    }

    /// Where clients may go.
    #[must_use]
    pub fn targets(&self) -> Targets {
        Targets::new(self.apis.iter().map(Process::base).collect())
    }

    /// A path's URL at the first API.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.apis[0].base())
    }

    /// The private Redis.
    ///
    /// # Panics
    /// When the fleet runs over SQLite.
    pub fn redis(&mut self) -> &mut RedisServer {
        self.redis.as_mut().expect("a fleet over Redis")
    }

    /// The folder of the service's files.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The folder of logs and of the ledger.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Keeps the folder, and says where it is.
    pub fn keep(&mut self) -> PathBuf {
        self.folder.disable_cleanup(true);
        self.folder.path().to_path_buf()
    }

    /// Waits until every process answers that it is ready.
    ///
    /// # Panics
    /// When one does not, or ends.
    pub async fn wait_until_ready(&mut self) {
        let started = Instant::now();
        loop {
            let mut ready = true;
            for process in self.apis.iter_mut().chain(&mut self.workers) {
                assert!(!process.has_ended(), "a process ended at once\n{}", process.log());
                let url = format!("{}/health/ready", process.base());
                let answer = self.client.get(url).send().await;
                ready &= answer.is_ok_and(|answer| answer.status().is_success());
                ready &= process.role != Role::Worker || process.worker_id().is_some();
            }
            if ready {
                return;
            }
            assert!(started.elapsed() < wait::DEADLINE, "not ready\n{}", self.logs());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Processes that have ended although nobody asked them to.
    pub fn fallen(&mut self) -> usize {
        let processes = self.apis.iter_mut().chain(&mut self.workers);
        processes.map(Process::has_ended).filter(|ended| *ended).count()
    }

    /// Asks every process for its counters. Call it before one is killed,
    /// because its counts go with it.
    pub async fn count_executions(&mut self) -> u64 {
        for process in self.apis.iter().chain(&self.workers) {
            let pid = process.pid() as usize;
            if let Some(count) = process.metric(&self.client, "aisle_batch_size_sum").await {
                let before = self.executions.entry(pid).or_default();
                *before = (*before).max(count as u64);
            }
        }
        self.executions.values().sum()
    }

    /// The sum of a metric over every process that answers.
    pub async fn metric(&self, name: &str) -> f64 {
        let mut sum = 0.0;
        for process in self.apis.iter().chain(&self.workers) {
            sum += process.metric(&self.client, name).await.unwrap_or(0.0);
        }
        sum
    }

    /// How often a text stands in the logs of all processes, gone ones too.
    #[must_use]
    pub fn logged(&self, text: &str) -> usize {
        self.log_files().iter().map(|log| log.matches(text).count()).sum()
    }

    /// The end of every log.
    #[must_use]
    pub fn logs(&self) -> String {
        let tail = |log: &String| {
            let lines: Vec<_> = log.lines().collect();
            lines[lines.len().saturating_sub(30)..].join("\n")
        };
        self.log_files().iter().map(tail).collect::<Vec<_>>().join("\n---\n")
    }

    fn log_files(&self) -> Vec<String> {
        let mut paths: Vec<PathBuf> = fs::read_dir(self.folder.path())
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
            .collect();
        paths.sort();
        paths.iter().map(|path| fs::read_to_string(path).unwrap_or_default()).collect()
    }
}
