//! A real Redis (or Valkey) for one test: its own process, folder and port.
//!
//! It must not outlive the test, however the test ends: a shell between the
//! two reads its standard input, which closes with the test's process, and
//! then kills the server.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::places::free_port;
use crate::secrets;

const WATCHDOG: &str = r#""$@" & server=$!; read -r _; kill -KILL $server; wait $server"#;
/// A user for the service under test; tests themselves need no password.
const USER: &str = "aisle";

/// Where the server writes its process id, in its folder.
const PID_FILE: &str = "server.pid";
const OLDEST_MAJOR: u32 = 7;
const START_DEADLINE: Duration = Duration::from_secs(10);
const START_ATTEMPTS: u32 = 5;

/// A running server that dies with this value.
#[derive(Debug)]
pub struct RedisServer {
    program: PathBuf,
    port: u16,
    settings: Vec<String>,
    watchdog: Option<Child>,
    // Removed last, when the process that writes into it has gone.
    folder: TempDir,
}

impl RedisServer {
    /// Starts a server that keeps what it is told (append-only file, no
    /// eviction) and waits until it answers.
    ///
    /// # Errors
    /// When this machine has no Redis 7 or newer, or it does not start.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(&[]).await
    }

    /// The same with settings of its own, such as `appendfsync always`.
    ///
    /// # Errors
    /// When this machine has no Redis 7 or newer, or it does not start.
    pub async fn start_with(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let settings: Vec<String> = settings
            .iter()
            .flat_map(|(name, value)| [format!("--{name}"), (*value).to_owned()])
            .collect();
        let program = find_program()?;
        let mut failure = anyhow::anyhow!("never tried");
        // The port is free when chosen, but another may take it first.
        for _ in 0..START_ATTEMPTS {
            let folder = tempfile::tempdir()?;
            let port = free_port();
            let (program, settings) = (program.clone(), settings.clone());
            let mut server = Self { program, port, settings, watchdog: None, folder };
            match server.restart().await {
                Ok(()) => return Ok(server),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// The URL of its first database.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The server's own process, not that of the shell before it.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn pid(&self) -> anyhow::Result<u32> {
        Ok(self.info("server", "process_id").await?.parse()?)
    }

    /// One line of what the server says about itself (`INFO`).
    ///
    /// # Errors
    /// When the server does not answer, or has no such line.
    pub async fn info(&self, section: &str, name: &str) -> anyhow::Result<String> {
        let mut connection = self.connect().await?;
        let info: String = redis::cmd("INFO").arg(section).query_async(&mut connection).await?;
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Ok(line.with_context(|| format!("no {name} in INFO {section}"))?.trim().to_owned())
    }

    /// The same with a user and a password, which must not be shown.
    #[must_use]
    pub fn secret_url(&self) -> String {
        format!("redis://{USER}:{}@127.0.0.1:{}/", secrets::secret("redis"), self.port)
    }

    /// A connection of the test's own, to look behind the store's back.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn connect(&self) -> anyhow::Result<redis::aio::MultiplexedConnection> {
        let client = redis::Client::open(self.url())?;
        Ok(client.get_multiplexed_async_connection().await?)
    }

    /// Stops the server in its tracks: connections stay, nothing is answered.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self) -> io::Result<()> {
        self.signal("-STOP")
    }

    /// Lets a frozen server go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaw(&self) -> io::Result<()> {
        self.signal("-CONT")
    }

    fn signal(&self, signal: &str) -> io::Result<()> {
        let pid = std::fs::read_to_string(self.folder.path().join(PID_FILE))?;
        let sent = Command::new("kill").args([signal, pid.trim()]).status()?;
        if sent.success() { Ok(()) } else { Err(io::Error::other("the signal was not sent")) }
    }

    /// Kills the server as a crash would. What it had appended stays.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub fn kill(&mut self) -> io::Result<()> {
        if let Some(mut watchdog) = self.watchdog.take() {
            drop(watchdog.stdin.take());
            watchdog.wait()?;
        }
        Ok(())
    }

    /// Starts the server again (killing it first if it runs) on the same
    /// port and folder, and waits until it has read back what it had.
    ///
    /// # Errors
    /// When it does not answer in time.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.kill()?;
        self.watchdog = Some(self.spawn().context("the Redis server does not start")?);
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            match self.serves().await {
                Ok(true) => return Ok(()),
                Ok(false) => bail!("port {} was taken by another server", self.port),
                Err(error) if Instant::now() > deadline => {
                    return Err(error.context("the Redis server does not answer"));
                }
                Err(_) => sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// Whether it is this very server that answers on the port.
    async fn serves(&self) -> anyhow::Result<bool> {
        let mut connection = self.connect().await?;
        redis::cmd("PING").query_async::<String>(&mut connection).await?;
        let (_, folder): (String, String) =
            redis::cmd("CONFIG").arg("GET").arg("dir").query_async(&mut connection).await?;
        Ok(Path::new(&folder) == self.folder.path().canonicalize()?)
    }

    fn spawn(&self) -> io::Result<Child> {
        let log = std::fs::File::create(self.folder.path().join("server.log"))?;
        Command::new("sh")
            .args(["-c", WATCHDOG, "sh"])
            .arg(&self.program)
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--user", USER, "on", &format!(">{}", secrets::secret("redis"))])
            .args(["~*", "&*", "+@all"])
            .args(["--appendonly", "yes", "--maxmemory-policy", "noeviction"])
            .args(["--auto-aof-rewrite-min-size", "512mb", "--dir"])
            .arg(self.folder.path().canonicalize()?)
            .args(&self.settings)
            .arg("--pidfile")
            .arg(self.folder.path().canonicalize()?.join(PID_FILE))
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // A server that cannot be waited for is killed all the same.
        let _ = self.kill();
    }
}

/// Every command that reaches a server until `act` is done, as `MONITOR` writes
/// it; those that scripts give are left out.
///
/// # Errors
/// When the server does not answer.
pub async fn heard<T>(
    server: SocketAddr,
    act: impl Future<Output = T>,
) -> anyhow::Result<(T, Vec<String>)> {
    let mut monitor = BufReader::new(TcpStream::connect(server).await?);
    monitor.write_all(b"MONITOR\r\n").await?;
    let mut line = String::new();
    monitor.read_line(&mut line).await?;
    let done = act.await;
    let mut other = TcpStream::connect(server).await?;
    other.write_all(b"ECHO the-end-of-it\r\n").await?;
    let mut heard = Vec::new();
    loop {
        line.clear();
        if monitor.read_line(&mut line).await? == 0 {
            bail!("the server sends no more of what it hears");
        }
        if line.contains("the-end-of-it") {
            return Ok((done, heard));
        }
        if !line.contains(" lua] ") {
            heard.push(line.trim_end().to_owned());
        }
    }
}

/// The machine's own server, else the one that `make setup` brings.
fn find_program() -> anyhow::Result<PathBuf> {
    let brought = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.runtime/bin/valkey-server");
    [PathBuf::from("redis-server"), PathBuf::from("valkey-server"), brought]
        .into_iter()
        .find(|program| major_version(program).is_some_and(|major| major >= OLDEST_MAJOR))
        .context("no redis-server or valkey-server of version 7 or newer: `make setup` brings one")
}

fn major_version(program: &Path) -> Option<u32> {
    let output = Command::new(program).arg("--version").output().ok()?;
    parse_major(&String::from_utf8_lossy(&output.stdout))
}

fn parse_major(version: &str) -> Option<u32> {
    let numbers = version.split_whitespace().find_map(|word| word.strip_prefix("v="))?;
    numbers.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_redis_and_valkey_say() {
        let redis = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1";
        assert_eq!(parse_major(redis), Some(7));
        assert_eq!(parse_major("Valkey server v=8.1.3 sha=0 malloc=libc bits=64"), Some(8));
        assert_eq!(parse_major("command not found"), None);
    }

    #[tokio::test]
    async fn what_a_server_was_told_survives_a_kill() {
        let mut server = RedisServer::start().await.unwrap();
        let mut connection = server.connect().await.unwrap();
        redis::cmd("SET").arg("k").arg("v").exec_async(&mut connection).await.unwrap();
        server.kill().unwrap();
        assert!(server.connect().await.is_err(), "it still answers");
        server.restart().await.unwrap();
        let mut connection = server.connect().await.unwrap();
        let value: String = redis::cmd("GET").arg("k").query_async(&mut connection).await.unwrap();
        assert_eq!(value, "v");
    }

    #[tokio::test]
    async fn a_server_dies_with_its_value() {
        let server = RedisServer::start().await.unwrap();
        let url = server.url();
        drop(server);
        let client = redis::Client::open(url).unwrap();
        assert!(client.get_multiplexed_async_connection().await.is_err());
    }
}
