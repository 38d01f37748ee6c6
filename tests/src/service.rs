//! The service as its users run it: real processes of the real binary.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::Backend;
use crate::places::{free_port, repository};
use crate::redis_server::RedisServer;
use crate::{tiny_model, wait};

/// Which processes it consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processes {
    /// `aisle serve`: API and worker in one.
    One,
    /// `aisle api` and `aisle worker`.
    Apart,
}

/// A running service with its store and folders, ended when dropped.
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
        let folder = tempfile::tempdir().expect("a temporary folder");
        let models = folder.path().join("models");
        tiny_model::write(&models, "tiny").expect("a model folder");
        Self::start_in(folder, backend, processes, &models, settings).await
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
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self::start_in(folder, backend, processes, models, settings).await
    }

    async fn start_in(
        folder: TempDir,
        backend: Backend,
        processes: Processes,
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
            Some(server) => server.url(),
        };
        let listen = format!("127.0.0.1:{}", free_port());
        let mut environment = vec![
            ("AISLE_LISTEN", listen.clone()),
            ("AISLE_STORE", store),
            ("AISLE_DATA", folder.path().join("data").display().to_string()),
            ("AISLE_MODELS", models.display().to_string()),
        ];
        environment.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let mut service = Self {
            base: format!("http://{listen}"),
            client: reqwest::Client::builder().no_proxy().build().expect("a client"),
            folder,
            environment,
            running: Vec::new(),
            started: 0,
            redis,
        };
        match processes {
            Processes::One => service.spawn("serve"),
            Processes::Apart => {
                service.spawn("api");
                service.spawn("worker");
            }
        }
        service.wait_until_ready().await;
        service
    }

    /// Starts one more process of the service.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(&mut self, command: &'static str) {
        self.started += 1;
        let log = File::create(self.folder.path().join(format!("{}-{command}.log", self.started)))
            .expect("a log file");
        let child = Command::new(binary())
            .arg(command)
            .current_dir(repository())
            .envs(self.environment.iter().map(|(name, value)| (*name, value.as_str())))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log file"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", binary().display()));
        self.running.push((command, child));
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

    /// Asks every process of that command to stop, as a rolling deploy does,
    /// and waits until it has.
    ///
    /// # Panics
    /// When one does not stop, or stops with a failure.
    pub async fn stop(&mut self, command: &str) {
        for (name, child) in &mut self.running {
            if *name == command {
                let id = child.id().to_string();
                let sent = Command::new("kill").args(["-TERM", &id]).status();
                assert!(sent.is_ok_and(|status| status.success()), "kill -TERM {id}");
            }
        }
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
                    logs(self.folder.path())
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
        let running = self.running.iter().find(|(name, _)| *name == command);
        running.unwrap_or_else(|| panic!("no {command} is running")).1.id()
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

    /// What the processes have logged so far.
    #[must_use]
    pub fn logs(&self) -> String {
        logs(self.folder.path())
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
        }
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

fn logs(folder: &Path) -> String {
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
        let tail: Vec<_> = text.lines().rev().take(60).collect();
        let tail: Vec<_> = tail.into_iter().rev().collect();
        format!("--- {}\n{}", path.display(), tail.join("\n"))
    });
    sections.collect::<Vec<_>>().join("\n")
}
