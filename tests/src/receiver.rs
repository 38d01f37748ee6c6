//! A receiver of webhooks on loopback that answers as it is told, and keeps
//! what it gets.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::wait;

/// What a receiver does with a request that it has read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers with this status and no body.
    Status(u16),
    /// Answers with this status and `Retry-After`.
    RetryAfter(u16, String),
    /// Redirects to this URL.
    Redirect(String),
    /// Never answers.
    Hang,
    /// Answers 200, and then a byte of the body every 100 ms, for ever.
    Drip,
    /// Answers 200 with ten megabytes.
    Flood,
    /// Answers 200 after a while.
    Slow(Duration),
    /// Resets the connection.
    Reset,
}

impl Behaviour {
    /// Whether a sender may take the message as delivered.
    #[must_use]
    pub fn accepts(&self) -> bool {
        match self {
            Self::Status(status) => (200..300).contains(status),
            Self::Drip | Self::Flood | Self::Slow(_) => true,
            Self::RetryAfter(..) | Self::Redirect(_) | Self::Hang | Self::Reset => false,
        }
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// When it was there.
    pub at: SystemTime,
    /// The path with its query.
    pub path: String,
    /// Headers by name in lower case.
    pub headers: HashMap<String, String>,
    /// The body.
    pub body: String,
    /// What was done with it.
    pub answer: Behaviour,
}

/// A receiver that follows a script. It stops when dropped.
#[derive(Debug)]
pub struct Receiver {
    base: String,
    script: Arc<Mutex<VecDeque<Behaviour>>>,
    received: Arc<Mutex<Vec<Received>>>,
    server: JoinHandle<()>,
}

impl Receiver {
    /// Listens on loopback and does with each request what is next in the
    /// script, whose last line stays.
    ///
    /// # Panics
    /// When no loopback port can be had.
    pub async fn start(script: impl Into<VecDeque<Behaviour>>) -> Self {
        Self::listen(script.into(), None).await
    }

    /// The same over TLS, with a certificate that nobody trusts.
    ///
    /// # Panics
    /// When no loopback port or certificate can be had.
    pub async fn start_tls(script: impl Into<VecDeque<Behaviour>>) -> Self {
        let names = vec!["127.0.0.1".to_owned()];
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(names).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .expect("a server's settings");
        Self::listen(script.into(), Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn listen(script: VecDeque<Behaviour>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let base = format!("{scheme}://{}", listener.local_addr().expect("a bound address"));
        let received = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(Mutex::new(script));
        let (log, acts) = (Arc::clone(&received), Arc::clone(&script));
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, acts, tls) = (Arc::clone(&log), Arc::clone(&acts), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, &acts, &log).await,
                        Some(tls) => serve(tls.accept(stream).await?, &acts, &log).await,
                    }
                });
            }
        });
        Self { base, script, received, server }
    }

    /// Follows another script from the next request on.
    ///
    /// # Panics
    /// When a thread has panicked over it.
    pub fn turn(&self, script: impl Into<VecDeque<Behaviour>>) {
        *self.script.lock().expect("the script") = script.into();
    }

    /// The URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// What it got so far.
    ///
    /// # Panics
    /// When a thread has panicked over it.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.received_from(0)
    }

    /// What it got after the first so many.
    ///
    /// # Panics
    /// When a thread has panicked over it.
    #[must_use]
    pub fn received_from(&self, first: usize) -> Vec<Received> {
        let received = self.received.lock().expect("the receiver's log");
        received.iter().skip(first).cloned().collect()
    }

    /// What it got, once it is as much as that.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn got(&self, count: usize) -> Vec<Received> {
        wait::until("webhooks at the receiver", || async {
            let received = self.received();
            (received.len() >= count).then_some(received)
        })
        .await
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A connection that can be ended without a farewell.
trait Resets {
    fn reset_when_dropped(&self) -> std::io::Result<()>;
}

impl Resets for TcpStream {
    fn reset_when_dropped(&self) -> std::io::Result<()> {
        self.set_zero_linger()
    }
}

impl Resets for TlsStream<TcpStream> {
    fn reset_when_dropped(&self) -> std::io::Result<()> {
        self.get_ref().0.set_zero_linger()
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin + Resets,
    script: &Mutex<VecDeque<Behaviour>>,
    log: &Mutex<Vec<Received>>,
) -> std::io::Result<()> {
    let mut received = read(&mut stream).await?;
    let next = {
        let mut script = script.lock().expect("the script");
        if script.len() > 1 { script.pop_front() } else { script.front().cloned() }
    };
    let next = next.unwrap_or(received.answer);
    received.answer = next.clone();
    log.lock().expect("the receiver's log").push(received);
    let head = |status: u16, more: &str| {
        format!("HTTP/1.1 {status} X\r\n{more}Content-Length: 0\r\nConnection: close\r\n\r\n")
    };
    let answer = match next {
        Behaviour::Status(status) => head(status, ""),
        Behaviour::RetryAfter(status, field) => head(status, &format!("Retry-After: {field}\r\n")),
        Behaviour::Redirect(url) => head(307, &format!("Location: {url}\r\n")),
        Behaviour::Slow(time) => {
            tokio::time::sleep(time).await;
            head(200, "")
        }
        Behaviour::Reset => return stream.reset_when_dropped(),
        Behaviour::Hang => std::future::pending().await,
        Behaviour::Drip => return drip(&mut stream).await,
        Behaviour::Flood => {
            stream.write_all(b"HTTP/1.1 200 X\r\nContent-Length: 10000000\r\n\r\n").await?;
            "x".repeat(10_000_000)
        }
    };
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

async fn drip(stream: &mut (impl AsyncWrite + Unpin)) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 X\r\n\r\n").await?;
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    loop {
        ticks.tick().await;
        stream.write_all(b"x").await?;
        stream.flush().await?;
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Received> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let headers: HashMap<_, _> = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    let body = String::from_utf8_lossy(&body).into_owned();
    let answer = Behaviour::Status(200);
    Ok(Received { at: SystemTime::now(), path, headers, body, answer })
}
