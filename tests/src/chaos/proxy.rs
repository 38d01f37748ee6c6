//! A network between two processes, as bad as an experiment wants it: slow,
//! losing connections, holding back one direction, or closed.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

/// How the network is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Weather {
    /// How long what is sent is under way, in each direction.
    pub latency: Duration,
    /// By how much that varies at most, up or down.
    pub jitter: Duration,
    /// Of a hundred requests, how many end their connection with a reset:
    /// half of these before the server has seen them, half after.
    pub resets: u32,
    /// What clients send is held back, and arrives when the weather changes,
    /// as TCP does across a partition.
    pub holds_requests: bool,
    /// New connections are refused and those there are end.
    pub closed: bool,
}

/// A network between clients and one server.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    resets: Arc<Mutex<u64>>,
    server: JoinHandle<()>,
}

#[derive(Clone)]
struct Path {
    server: SocketAddr,
    weather: watch::Receiver<Weather>,
    resets: Arc<Mutex<u64>>,
}

/// Where a request's connection is reset.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reset {
    Never,
    BeforeTheServer,
    AfterTheServer,
}

impl Proxy {
    /// In front of a server, in fair weather.
    ///
    /// # Panics
    /// When no loopback port can be had.
    pub async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("a bound address");
        let (weather, seen) = watch::channel(Weather::default());
        let resets = Arc::default();
        let path = Path { server, weather: seen, resets: Arc::clone(&resets) };
        let server = tokio::spawn(accept(listener, path));
        Self { address, weather, resets, server }
    }

    /// Where clients connect.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the weather.
    pub fn turn(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// Connections that were reset so far.
    #[must_use]
    pub fn resets(&self) -> u64 {
        *self.resets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn accept(listener: TcpListener, path: Path) {
    let address = listener.local_addr().expect("a bound address");
    let mut listener = Some(listener);
    let mut weather = path.weather.clone();
    // Ends with its connections when the proxy is dropped.
    let mut connections = JoinSet::new();
    loop {
        let closed = weather.borrow_and_update().closed;
        if closed {
            listener = None;
            connections.abort_all();
        } else if listener.is_none() {
            listener = TcpListener::bind(address).await.ok();
        }
        let Some(open) = &listener else {
            // Also when another has the port for a moment.
            let _ = tokio::time::timeout(Duration::from_millis(50), weather.changed()).await;
            continue;
        };
        tokio::select! {
            accepted = open.accept() => {
                if let Ok((client, _)) = accepted {
                    connections.spawn(relay(client, path.clone()));
                }
            }
            changed = weather.changed() => if changed.is_err() { return },
        }
    }
}

async fn relay(client: TcpStream, path: Path) {
    let Ok(server) = TcpStream::connect(path.server).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let reset = tokio::select! {
        reset = requests(from_client, to_server, &path) => reset,
        () = answers(from_server, to_client.as_ref(), &path) => false,
    };
    if reset {
        *path.resets.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        let _ = to_client.as_ref().set_zero_linger();
    }
}

/// Relays what a client sends; `true` when the connection is to be reset.
async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, path: &Path) -> bool {
    let mut buffer = vec![0; 64 * 1024];
    let mut weather = path.weather.clone();
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let now = *path.weather.borrow();
        delay(now).await;
        if weather.wait_for(|now| !now.holds_requests).await.is_err() {
            return false;
        }
        let reset = chance(*path.weather.borrow());
        if reset == Reset::BeforeTheServer {
            return true;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return false;
        }
        if reset == Reset::AfterTheServer {
            return true;
        }
    }
    // Across a partition the end of a connection is held back as well.
    let _ = weather.wait_for(|now| !now.holds_requests).await;
    false
}

async fn answers(mut from: OwnedReadHalf, to: &TcpStream, path: &Path) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let now = *path.weather.borrow();
        delay(now).await;
        let mut rest = &buffer[..read];
        while !rest.is_empty() {
            if to.writable().await.is_err() {
                return;
            }
            match to.try_write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}

async fn delay(weather: Weather) {
    if weather.latency > Duration::ZERO {
        let jitter = weather.jitter.mul_f64(rand::random_range(0.0..=2.0));
        let arrives = (weather.latency + jitter).saturating_sub(weather.jitter);
        tokio::time::sleep_until(Instant::now() + arrives).await;
    }
}

fn chance(weather: Weather) -> Reset {
    match rand::random_range(0..200) {
        drawn if drawn < weather.resets => Reset::BeforeTheServer,
        drawn if drawn < 2 * weather.resets => Reset::AfterTheServer,
        _ => Reset::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis_server::RedisServer;
    use crate::wait;

    async fn ping(proxy: &Proxy) -> anyhow::Result<Duration> {
        let client = redis::Client::open(format!("redis://{}/", proxy.address()))?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let began = std::time::Instant::now();
        redis::cmd("PING").query_async::<String>(&mut connection).await?;
        Ok(began.elapsed())
    }

    #[tokio::test]
    async fn a_closed_network_refuses_and_an_open_one_does_not() {
        let server = RedisServer::start().await.unwrap();
        let proxy = Proxy::before(server.address()).await;
        ping(&proxy).await.unwrap();
        proxy.turn(Weather { closed: true, ..Weather::default() });
        wait::until("a refusal", || async { ping(&proxy).await.is_err().then_some(()) }).await;
        proxy.turn(Weather::default());
        wait::until("an answer", || async { ping(&proxy).await.ok() }).await;
    }

    #[tokio::test]
    async fn latency_is_added_in_both_directions() {
        let server = RedisServer::start().await.unwrap();
        let proxy = Proxy::before(server.address()).await;
        proxy.turn(Weather { latency: Duration::from_millis(60), ..Weather::default() });
        assert!(ping(&proxy).await.unwrap() >= Duration::from_millis(120));
    }

    #[tokio::test]
    async fn a_request_that_is_held_back_arrives_when_the_weather_changes() {
        let server = RedisServer::start().await.unwrap();
        let proxy = Proxy::before(server.address()).await;
        let client = redis::Client::open(format!("redis://{}/", proxy.address())).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        proxy.turn(Weather { holds_requests: true, ..Weather::default() });
        let set = tokio::spawn(async move {
            redis::cmd("SET").arg("k").arg("v").exec_async(&mut connection).await
        });
        let mut direct = server.connect().await.unwrap();
        let get = redis::cmd("GET").arg("k").to_owned();
        let value: Option<String> = get.query_async(&mut direct).await.unwrap();
        assert_eq!(value, None);
        proxy.turn(Weather::default());
        set.await.unwrap().unwrap();
        let value: Option<String> = get.query_async(&mut direct).await.unwrap();
        assert_eq!(value.as_deref(), Some("v"));
    }
}
