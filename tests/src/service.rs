//! The service as its users run it: real processes of the real binary.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::Backend;
use crate::places::{free_port, repository};
use crate::redis_server::RedisServer;
use crate::{secrets, tiny_model, wait};

/// Every scope that a key can have.
pub const ALL_SCOPES: &str = "jobs:write,jobs:read,jobs:cancel,webhooks:manage,admin";

/// Which processes it consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processes {
    /// `aisle serve`: API and worker in one.
    One,
    /// `aisle api` and `aisle worker`.
    Apart,
}

/// A running service with its store and folders, ended when dropped: then
/// its whole log is searched for secrets, and one that stands there fails the
/// test.
#[derive(Debug)]
pub struct Service {
    /// `http://127.0.0.1:<port>`.
    pub base: String,
    /// A client for it.
    pub client: reqwest::Client,
    folder: TempDir,
    environment: Vec<(&'static str, String)>,
    running: Vec<(&'static str, Child)>,
    started: usize,
    redis: Option<RedisServer>,
}

impl Service {
    /// Starts the service over a fresh store with the tests' tiny network and
    /// waits until it is ready. `settings` are environment variables.
    ///
    /// # Panics
    /// When it does not become ready; the panic shows its log.
    pub async fn tiny(
        backend: Backend,
        processes: Processes,
        settings: &[(&'static str, &str)],
    ) -> Self {
        let mut service = Self::in_folder(backend, settings).await;
        service.begin(processes).await;
        service
    }

    /// The same, asking for keys: the client's is of tenant `tests` and may do
    /// everything. It is made by the real `aisle keys create`.
    ///
    /// # Panics
    /// When it does not become ready; the panic shows its log.
    pub async fn tiny_with_keys(
        backend: Backend,
        processes: Processes,
        settings: &[(&'static str, &str)],
    ) -> Self {
        let mut service = Self::in_folder(backend, settings).await;
        service.environment.push(("AISLE_AUTH", "keys".to_owned()));
        let key = service.key("tests", ALL_SCOPES);
        service.client = service.client_with(&key);
        service.begin(processes).await;
        service
    }

    /// The same with the models of a folder.
    ///
    /// # Panics
    /// When it does not become ready; the panic shows its log.
    pub async fn start(
        backend: Backend,
        processes: Processes,
        models: &Path,
        settings: &[(&'static str, &str)],
    ) -> Self {
        let mut service = Self::over_models(backend, models, settings).await;
        service.begin(processes).await;
        service
    }

    /// A fresh store and the tests' tiny network, and no process yet.
    ///
    /// # Panics
    /// When they cannot be had.
    pub async fn in_folder(backend: Backend, settings: &[(&'static str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let models = folder.path().join("models");
        tiny_model::write(&models, "tiny").expect("a model folder");
        Self::unstarted(folder, backend, &models, settings).await
    }

    /// A fresh store and a folder of models, and no process yet.
    ///
    /// # Panics
    /// When they cannot be had.
    pub async fn over_models(
        backend: Backend,
        models: &Path,
        settings: &[(&'static str, &str)],
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self::unstarted(folder, backend, models, settings).await
    }

    async fn unstarted(
        folder: TempDir,
        backend: Backend,
        models: &Path,
        settings: &[(&'static str, &str)],
    ) -> Self {
        // A second installation in the same process is refused, and harmless.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let redis = match backend {
            Backend::Sqlite => None,
            Backend::Redis => Some(RedisServer::start().await.expect("a Redis server")),
        };
        let store = match &redis {
            None => format!("sqlite:{}", folder.path().join("aisle.db").display()),
            Some(server) => server.secret_url(),
        };
        let listen = format!("127.0.0.1:{}", free_port());
        let mut environment = vec![
            ("AISLE_LISTEN", listen.clone()),
            ("AISLE_STORE", store),
            ("AISLE_DATA", folder.path().join("data").display().to_string()),
            ("AISLE_MODELS", models.display().to_string()),
            // What else lies on the disk is no matter of the tests.
            ("AISLE_MIN_FREE_MIB", "0".to_owned()),
            ("AISLE_BALLAST_MIB", "0".to_owned()),
            // Tests send few pictures, many times, and want each worked on.
            ("AISLE_CACHE_MAX_ENTRIES", "0".to_owned()),
        ];
        environment.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Self {
            base: format!("http://{listen}"),
            client: reqwest::Client::builder().no_proxy().build().expect("a client"),
            folder,
            environment,
            running: Vec::new(),
            started: 0,
            redis,
        }
    }

    /// Starts the processes and waits until they are ready.
    ///
    /// # Panics
    /// When they do not become ready; the panic shows their log.
    pub async fn begin(&mut self, processes: Processes) {
        match processes {
            Processes::One => self.spawn("serve"),
            Processes::Apart => {
                self.spawn("api");
                self.spawn("worker");
            }
        }
        self.wait_until_ready().await;
    }

    /// Runs a command of the binary to its end, under the service's settings.
    ///
    /// # Panics
    /// When it cannot be run.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(repository());
        command.envs(self.environment.iter().map(|(name, value)| (*name, value.as_str())));
        command.output().unwrap_or_else(|error| panic!("{}: {error}", binary().display()))
    }

    /// A fresh API key.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn key(&self, tenant: &str, scopes: &str) -> String {
        let arguments = ["--name", "test", "--tenant", tenant, "--scopes", scopes];
        let made = self.run(&[&["keys", "create"], &arguments[..]].concat());
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).expect("a key").trim_end().to_owned()
    }

    /// A client that shows a key with each request.
    ///
    /// # Panics
    /// When there can be none.
    #[must_use]
    pub fn client_with(&self, key: &str) -> reqwest::Client {
        let mut value = HeaderValue::from_str(&format!("Bearer {key}")).expect("a header");
        value.set_sensitive(true);
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
        let client = reqwest::Client::builder().no_proxy().default_headers(headers);
        client.build().expect("a client")
    }

    /// Gives the processes that start from now on another setting.
    pub fn set(&mut self, name: &'static str, value: &str) {
        self.environment.push((name, value.to_owned()));
    }

    /// Starts one more process of the service.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(&mut self, command: &'static str) {
        self.started += 1;
        let log = File::create(self.folder.path().join(format!("{}-{command}.log", self.started)))
            .expect("a log file");
        self.start_logging_to(command, log);
    }

    /// The same with a log that cannot be written, as on a full disk.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn_without_log(&mut self, command: &'static str) {
        let full = File::options().write(true).open("/dev/full").expect("a full device");
        self.start_logging_to(command, full);
    }

    fn start_logging_to(&mut self, command: &'static str, log: File) {
        let child = Command::new(binary())
            .arg(command)
            .current_dir(repository())
            .envs(self.environment_of(command))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log file"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", binary().display()));
        self.running.push((command, child));
    }

    /// The variables of one process. Two cannot listen at one administrators'
    /// address: it is the worker's, which has no other.
    fn environment_of(&self, command: &str) -> impl Iterator<Item = (&str, &str)> + use<'_> {
        let is_api = command == "api";
        let all = self.environment.iter().map(|(name, value)| (*name, value.as_str()));
        all.filter(move |(name, _)| !(is_api && *name == "AISLE_ADMIN_LISTEN"))
    }

    /// Ends every process of that command as `kill -9` does.
    ///
    /// # Panics
    /// When there is none.
    pub fn kill(&mut self, command: &str) {
        let before = self.running.len();
        self.running.retain_mut(|(name, child)| {
            if *name != command {
                return true;
            }
            let _ = child.kill();
            let _ = child.wait();
            false
        });
        assert!(self.running.len() < before, "no {command} is running");
    }

    /// Asks every process of that command to stop, and does not wait.
    ///
    /// # Panics
    /// When it cannot be asked.
    pub fn terminate(&self, command: &str) {
        for (_, child) in self.running.iter().filter(|(name, _)| *name == command) {
            let id = child.id().to_string();
            let sent = Command::new("kill").args(["-TERM", &id]).status();
            assert!(sent.is_ok_and(|status| status.success()), "kill -TERM {id}");
        }
    }

    /// Waits until the process of that command has ended, and tells how.
    ///
    /// # Panics
    /// When there is none, or it does not end.
    pub async fn exit_code(&mut self, command: &str) -> Option<i32> {
        let place = self.running.iter().position(|(name, _)| *name == command);
        let (_, mut child) = self.running.remove(place.expect("a running process"));
        let pid = child.id();
        let mut status = || child.try_wait().expect("a child's status");
        let what = format!("the end of process {pid}");
        wait::until(&what, || std::future::ready(status())).await.code()
    }

    /// Asks every process of that command to stop, as a rolling deploy does,
    /// and waits until it has.
    ///
    /// # Panics
    /// When one does not stop, or stops with a failure.
    pub async fn stop(&mut self, command: &str) {
        self.terminate(command);
        let mut stopping: Vec<Child> = Vec::new();
        for (name, child) in std::mem::take(&mut self.running) {
            if name == command { stopping.push(child) } else { self.running.push((name, child)) }
        }
        for mut child in stopping {
            let status = loop {
                if let Some(status) = child.try_wait().expect("a child's status") {
                    break status;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            };
            assert!(status.success(), "{command} ended with {status}\n{}", self.logs());
        }
    }

    /// Waits until the service says that it is ready and a worker is there.
    ///
    /// # Panics
    /// When that takes too long, or a process ends.
    pub async fn wait_until_ready(&mut self) {
        let started = std::time::Instant::now();
        loop {
            for (name, child) in &mut self.running {
                let ended = child.try_wait().expect("a child's status");
                assert!(
                    ended.is_none(),
                    "{name} ended with {ended:?}\n{}",
                    logs(self.folder.path(), 60)
                );
            }
            if self.is_ready().await {
                return;
            }
            assert!(started.elapsed() < wait::DEADLINE, "not ready:\n{}", self.logs());
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    async fn is_ready(&self) -> bool {
        let Ok(ready) = self.client.get(self.url("/health/ready")).send().await else {
            return false;
        };
        let Ok(models) = self.client.get(self.url("/v1/models")).send().await else {
            return false;
        };
        let models: Value = models.json().await.unwrap_or_default();
        let served = models["data"]
            .as_array()
            .is_some_and(|data| data.iter().any(|model| model["live_workers"].as_u64() > Some(0)));
        ready.status().is_success() && served
    }

    /// The process id of the first process of that command.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn process(&self, command: &str) -> u32 {
        let first = self.processes(command).first().copied();
        first.unwrap_or_else(|| panic!("no {command} is running"))
    }

    /// The process ids of all processes of that command.
    #[must_use]
    pub fn processes(&self, command: &str) -> Vec<u32> {
        let running = self.running.iter().filter(|(name, _)| *name == command);
        running.map(|(_, child)| child.id()).collect()
    }

    /// A path's URL.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Reads a JSON answer.
    ///
    /// # Panics
    /// When the answer is not a success.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.client.get(self.url(path)).send().await.expect("an answer");
        let status = answer.status();
        let body = answer.text().await.expect("a body");
        assert!(status.is_success(), "GET {path}: {status}\n{body}\n{}", self.logs());
        serde_json::from_str(&body).expect("JSON")
    }

    /// Waits until a job has ended and returns it. While the store does not
    /// answer, it asks again, as a client is told to.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn ended(&self, id: &str) -> Value {
        let url = self.url(&format!("/v1/jobs/{id}"));
        wait::until("the job's end", || async {
            let answer = self.client.get(&url).send().await.ok()?;
            if answer.status() == reqwest::StatusCode::SERVICE_UNAVAILABLE {
                return None;
            }
            assert!(answer.status().is_success(), "GET {url}: {}", answer.status());
            let job: Value = answer.json().await.expect("a job");
            (!job["completed_at"].is_null()).then_some(job)
        })
        .await
    }

    /// The private Redis of the service.
    ///
    /// # Panics
    /// When it runs over SQLite.
    pub fn redis(&mut self) -> &mut RedisServer {
        self.redis.as_mut().expect("a service over Redis")
    }

    /// The folder in which everything lies that the service may write.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The most memory that a process of that command has had, in bytes
    /// (`VmHWM`, proc(5)).
    ///
    /// # Panics
    /// When none is running.
    #[must_use]
    pub fn peak_memory(&self, command: &str) -> u64 {
        let child = self.running.iter().find(|(name, _)| *name == command);
        let (_, child) = child.unwrap_or_else(|| panic!("no {command} is running"));
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("a status");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        let kilobytes = peak.trim().trim_end_matches(" kB").parse::<u64>().expect("a number");
        kilobytes * 1024
    }

    /// The last lines that the processes have logged.
    #[must_use]
    pub fn logs(&self) -> String {
        logs(self.folder.path(), 60)
    }

    /// All that the processes have logged.
    #[must_use]
    pub fn whole_log(&self) -> String {
        logs(self.folder.path(), usize::MAX)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        for (_, child) in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            println!("{}", self.logs());
            return;
        }
        let log = self.whole_log();
        let leaks = secrets::leaks(&log);
        assert!(leaks.is_empty(), "secrets stand in the log:\n{}", leaks.join("\n"));
    }
}

/// The binary that was built beside this test.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("this test's path");
    let binary = test
        .ancestors()
        .find(|folder| folder.ends_with("debug") || folder.ends_with("release"))
        .unwrap_or(&test)
        .join("aisle");
    assert!(binary.exists(), "{} is absent: `cargo build` makes it", binary.display());
    binary
}

/// The last lines of every log in a folder, at most that many of each.
fn logs(folder: &Path, lines: usize) -> String {
    let mut logs: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    logs.sort();
    let sections = logs.iter().map(|path| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let tail: Vec<_> = text.lines().rev().take(lines).collect();
        let tail: Vec<_> = tail.into_iter().rev().collect();
        format!("--- {}\n{}", path.display(), tail.join("\n"))
    });
    sections.collect::<Vec<_>>().join("\n")
}
