//! A Redis server for one test, on a socket in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::{Client, Connection};
use tempfile::TempDir;

/// How long the server may take to answer for the first time.
const START_WITHIN: Duration = Duration::from_secs(10);

/// Killed, with all that it holds, when dropped.
pub(super) struct PrivateServer {
    process: Child,
    settings: Vec<String>,
    folder: TempDir,
}

impl PrivateServer {
    /// A durable server with more settings; `None` where there is none to start.
    pub(super) fn start(settings: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let settings: Vec<String> = settings.iter().map(|word| (*word).to_owned()).collect();
        let process = spawn(&settings, folder.path())?;
        let server = Self { process, settings, folder };
        server.wait();
        Some(server)
    }

    /// Kills it, cuts the end of its append-only file off, so many bytes of
    /// it, and starts it again.
    pub(super) fn crash(&mut self, lost: u64) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let file = std::fs::OpenOptions::new().write(true).open(self.append_only_file()).unwrap();
        file.set_len(file.metadata().unwrap().len() - lost).unwrap();
        self.process = spawn(&self.settings, self.folder.path()).unwrap();
        self.wait();
    }

    /// Bytes of the append-only file.
    pub(super) fn appended(&self) -> u64 {
        std::fs::metadata(self.append_only_file()).unwrap().len()
    }

    fn append_only_file(&self) -> PathBuf {
        self.folder.path().join("appendonlydir/appendonly.aof.1.incr.aof")
    }

    fn wait(&self) {
        let deadline = Instant::now() + START_WITHIN;
        // While it loads what it kept, it takes connections and answers nothing.
        let answers = |mut connection| redis::cmd("PING").query::<String>(&mut connection);
        while self.client().get_connection().and_then(answers).is_err() {
            assert!(Instant::now() < deadline, "the server does not answer");
            std::thread::yield_now();
        }
    }

    pub(super) fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// Where it listens.
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// A plain connection, to look behind the store's back.
    pub(super) fn connection(&self) -> Connection {
        self.client().get_connection().unwrap()
    }

    /// The answer to a command, its words parted by spaces.
    pub(super) fn ask<T: redis::FromRedisValue>(&self, command: &str) -> T {
        let mut words = command.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        words.for_each(|word| {
            command.arg(word);
        });
        command.query(&mut self.connection()).unwrap()
    }

    fn client(&self) -> Client {
        Client::open(self.url()).unwrap()
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(settings: &[String], folder: &Path) -> Option<Child> {
    programs().into_iter().find_map(|program| {
        Command::new(program)
            .args(["--port", "0", "--unixsocket", "redis.sock", "--save", ""])
            .args(["--appendonly", "yes", "--loglevel", "warning"])
            .args(settings)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .ok()
    })
}

/// The machine's own server, or the one that the project's set-up brings.
fn programs() -> [PathBuf; 3] {
    let brought = concat!(env!("CARGO_MANIFEST_DIR"), "/../.runtime/bin/valkey-server");
    ["redis-server", "valkey-server", brought].map(PathBuf::from)
}
