//! A process of an experiment: killed, frozen, asked to stop, looked at.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use crate::wait;

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `aisle api`.
    Api,
    /// `aisle worker`.
    Worker,
    /// `aisle serve`: both.
    Serve,
}

impl Role {
    pub(super) const fn command(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Worker => "worker",
            Self::Serve => "serve",
        }
    }
}

/// A running process.
#[derive(Debug)]
pub struct Process {
    /// What it does.
    pub role: Role,
    child: Child,
    address: String,
    log: PathBuf,
}

impl Process {
    pub(super) const fn new(role: Role, child: Child, address: String, log: PathBuf) -> Self {
        Self { role, child, address, log }
    }

    /// `http://127.0.0.1:<port>`, where it answers the API or its metrics.
    #[must_use]
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The process's id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The worker's own id, once it works.
    #[must_use]
    pub fn worker_id(&self) -> Option<String> {
        let log = self.log();
        let line = log.lines().find(|line| line.contains("working worker="))?;
        let id = line.split("worker=").nth(1)?.split_whitespace().next()?;
        Some(id.to_owned())
    }

    /// Sends it a signal, such as `STOP`.
    ///
    /// # Panics
    /// When it is not there any more.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Ends it as `kill -9` does.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to stop and waits until it has.
    ///
    /// # Panics
    /// When it does not.
    pub async fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child's status") {
                return status;
            }
            assert!(started.elapsed() < wait::DEADLINE, "a process does not stop\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Memory that it holds, in KiB (`VmRSS`).
    #[must_use]
    pub fn resident_kib(&self) -> Option<u64> {
        resident_kib(self.pid())
    }

    /// The sum of a metric's lines; `None` when it does not answer.
    pub async fn metric(&self, client: &reqwest::Client, name: &str) -> Option<f64> {
        let url = format!("{}/metrics", self.base());
        let request = client.get(url).timeout(Duration::from_secs(2));
        let text = request.send().await.ok()?.text().await.ok()?;
        let values = text
            .lines()
            .filter(|line| {
                let rest = line.strip_prefix(name);
                rest.is_some_and(|rest| rest.starts_with(' ') || rest.starts_with('{'))
            })
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        Some(values.sum())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a process a signal, such as `STOP`.
///
/// # Panics
/// When the process is not there any more.
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &pid.to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill -s {name} {pid}");
}

/// Memory that a process holds, in KiB (`VmRSS` of proc(5)).
#[must_use]
pub fn resident_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
