//! The common alternatives, run from `tests/peers` with the Python packages
//! that `make bench-peers` brings. Each has one thread of ONNX Runtime in each
//! of as many processes (or threads) as there are processors, which was the
//! fastest of what was tried for all of them.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use super::client::{Protocol, Target};
use super::machine::processors;
use super::processes::trees;
use crate::places::{free_port, repository};
use crate::redis_server::RedisServer;

/// How long a peer may take to start.
const START: Duration = Duration::from_secs(90);

/// How long the shell may take to start it.
const FORK: Duration = Duration::from_secs(2);

/// Runs a command in a process group of its own, and ends the whole group
/// when the benchmark goes away, in whatever way: its input closes then.
const WATCHDOG: &str = r#""$@" & read -r _; kill -KILL -$$"#;

/// An alternative.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Its name, for people.
    pub name: &'static str,
    /// Whether its answer waits for the result; the others have a queue.
    pub synchronous: bool,
    protocol: Protocol,
    /// Python modules without which it is not there.
    modules: &'static [&'static str],
    needs_redis: bool,
    /// Arguments of Python for each of its processes. `PORT` and `PROCESSES`
    /// stand for numbers.
    commands: &'static [&'static [&'static str]],
}

/// The alternatives that are known.
pub const PEERS: [Peer; 4] = [
    Peer {
        name: "FastAPI + Celery + Redis",
        synchronous: false,
        protocol: Protocol::Polled,
        modules: &["fastapi", "uvicorn", "celery", "redis", "onnxruntime", "PIL"],
        needs_redis: true,
        commands: &[
            &["-m", "uvicorn", "celery_api:app", "--port", "PORT", "--log-level", "warning"],
            &[
                "-m",
                "celery",
                "--app=celery_tasks",
                "worker",
                "--concurrency=PROCESSES",
                "--loglevel=warning",
                "--without-gossip",
                "--without-mingle",
                "--without-heartbeat",
            ],
        ],
    },
    Peer {
        name: "FastAPI, synchronous",
        synchronous: true,
        protocol: Protocol::Direct,
        modules: &["fastapi", "uvicorn", "onnxruntime", "PIL"],
        needs_redis: false,
        commands: &[&[
            "-m",
            "uvicorn",
            "fastapi_sync:app",
            "--port",
            "PORT",
            "--workers",
            "PROCESSES",
            "--log-level",
            "warning",
        ]],
    },
    Peer {
        name: "LitServe, synchronous",
        synchronous: true,
        protocol: Protocol::Form,
        modules: &["litserve", "onnxruntime", "PIL"],
        needs_redis: false,
        commands: &[&["litserve_peer.py"]],
    },
    Peer {
        name: "Triton (pytriton)",
        synchronous: true,
        protocol: Protocol::Triton,
        modules: &["pytriton", "onnxruntime", "PIL"],
        needs_redis: false,
        commands: &[&["triton_peer.py"]],
    },
];

/// A Python that may have the packages: the one named, else the one that
/// `make bench-peers` brought.
#[must_use]
pub fn python(named: Option<&Path>) -> Option<PathBuf> {
    let brought = repository().join(".runtime/peers/bin/python");
    let python = named.map_or(brought, Path::to_path_buf);
    python.exists().then_some(python)
}

impl Peer {
    /// Whether its packages are there.
    #[must_use]
    pub fn is_installed(&self, python: &Path) -> bool {
        let imports = format!("import {}", self.modules.join(", "));
        let output = Command::new(python).args(["-c", &imports]).output();
        output.is_ok_and(|output| output.status.success())
    }

    /// Starts it on a model folder and waits until it takes pictures.
    ///
    /// # Errors
    /// When it does not come up; what it wrote is in the error.
    pub async fn start(&self, python: &Path, model: &Path) -> anyhow::Result<Running> {
        let redis = if self.needs_redis { Some(RedisServer::start().await?) } else { None };
        let (folder, port, began) = (tempfile::tempdir()?, free_port(), Instant::now());
        let mut running = Running {
            target: Target::new(&format!("http://127.0.0.1:{port}"), self.protocol),
            time_to_ready: Duration::ZERO,
            groups: Vec::new(),
            redis,
            folder,
        };
        for command in self.commands {
            running.spawn(python, command, port, model)?;
        }
        let mut pause = tokio::time::interval(Duration::from_millis(10));
        while !running.target.is_ready().await {
            if began.elapsed() > START || (began.elapsed() > FORK && running.has_ended()) {
                bail!("{} did not come up:\n{}", self.name, running.log());
            }
            pause.tick().await;
        }
        running.time_to_ready = began.elapsed();
        Ok(running)
    }
}

/// A peer that runs, ended when dropped.
#[derive(Debug)]
pub struct Running {
    /// Where it takes pictures.
    pub target: Target,
    /// From its start until it said that it was ready.
    pub time_to_ready: Duration,
    groups: Vec<Child>,
    redis: Option<RedisServer>,
    folder: TempDir,
}

impl Running {
    fn spawn(
        &mut self,
        python: &Path,
        command: &[&str],
        port: u16,
        model: &Path,
    ) -> anyhow::Result<()> {
        let numbered = |word: &&str| match *word {
            "PORT" => port.to_string(),
            word => word.replace("PROCESSES", &processors().to_string()),
        };
        let log = self.folder.path().join(format!("{}.log", self.groups.len()));
        let log = File::create(log)?;
        let child = Command::new("sh")
            .args(["-c", WATCHDOG, "sh"])
            .arg(python)
            .args(command.iter().map(numbered))
            .current_dir(repository().join("tests/peers"))
            .env("PEER_MODEL", model)
            .env("PEER_PORT", port.to_string())
            .env("PEER_PROCESSES", processors().to_string())
            .env("PEER_REDIS", self.redis.as_ref().map(RedisServer::url).unwrap_or_default())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("TMPDIR", self.folder.path())
            // Celery asks whether pickle is meant; nobody else reaches this Redis.
            .env("C_FORCE_ROOT", "1")
            .env("HOME", self.folder.path())
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .context("sh")?;
        self.groups.push(child);
        Ok(())
    }

    fn has_ended(&self) -> bool {
        // The shell waits for its input to close, so it has one below it.
        self.groups.iter().any(|group| trees(&[group.id()]).len() < 2)
    }

    /// Its processes, and those that do its work elsewhere.
    pub async fn processes(&self) -> Vec<u32> {
        let mut processes: Vec<u32> = self.groups.iter().map(Child::id).collect();
        if let Some(redis) = &self.redis {
            processes.extend(redis.pid().await.ok());
        }
        processes
    }

    /// Stops it in its tracks, so that it takes nothing from others that are
    /// being measured; `CONT` lets it go on.
    pub fn signal(&self, name: &str) {
        let groups: Vec<u32> = self.groups.iter().map(Child::id).collect();
        // The shells must go on waiting.
        let below = trees(&groups).into_iter().filter(|pid| !groups.contains(pid));
        send(name, &below.collect::<Vec<_>>());
    }

    /// The end of what it wrote.
    #[must_use]
    pub fn log(&self) -> String {
        let read = |place: usize| {
            let path = self.folder.path().join(format!("{place}.log"));
            let text = fs::read_to_string(path).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(15)..].join("\n")
        };
        (0..self.groups.len()).map(read).collect::<Vec<_>>().join("\n---\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Some have left the group: they are found by their parents.
        let all = trees(&self.groups.iter().map(Child::id).collect::<Vec<_>>());
        send("KILL", &all);
        for group in &mut self.groups {
            drop(group.stdin.take());
            let _ = group.wait();
        }
    }
}

/// Sends processes a signal; those that are gone by now need none.
fn send(signal: &str, to: &[u32]) {
    let to = to.iter().map(ToString::to_string);
    let _ = Command::new("kill").args(["-s", signal]).args(to).stderr(Stdio::null()).status();
}
