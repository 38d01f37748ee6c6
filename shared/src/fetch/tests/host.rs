//! A host that misbehaves on purpose, and the names that lead to it.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::fetch::Lookup;

/// What a host sends once it has read a request's head.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// These bytes, then the end.
    Bytes(Vec<u8>),
    /// These bytes, then one more each few milliseconds, for ever.
    Drip(Vec<u8>),
    /// These bytes, then the others over and over, as many as are taken.
    Endless(Vec<u8>, Vec<u8>),
    /// Nothing, with the connection left open.
    Silence,
}

impl Reply {
    pub(super) fn ok(body: &[u8]) -> Self {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        Self::Bytes([head.as_bytes(), body].concat())
    }

    /// What begins, and goes on without end.
    pub(super) fn endless(begin: &str, unit: &str) -> Self {
        Self::Endless(begin.as_bytes().to_vec(), unit.as_bytes().to_vec())
    }

    pub(super) fn status(status: u16) -> Self {
        Self::Bytes(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n").into_bytes())
    }

    pub(super) fn redirect(location: &str) -> Self {
        let head =
            format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        Self::Bytes(head.into_bytes())
    }
}

type Pages = Arc<dyn Fn(&str) -> Reply + Send + Sync>;

/// A host on a loopback address; it stops with the test's runtime.
pub(super) struct Host {
    pub(super) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Host {
    /// Serves `pages` by path over plain HTTP.
    pub(super) async fn start(
        address: impl Into<SocketAddr>,
        pages: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listen(address.into(), Arc::new(pages), None).await
    }

    /// Serves `pages` by path over TLS.
    pub(super) async fn start_tls(
        address: impl Into<SocketAddr>,
        acceptor: TlsAcceptor,
        pages: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listen(address.into(), Arc::new(pages), Some(acceptor)).await
    }

    async fn listen(address: SocketAddr, pages: Pages, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (pages, log, tls) = (Arc::clone(&pages), Arc::clone(&log), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => serve(tls.accept(stream).await?, &pages, &log).await,
                        None => serve(stream, &pages, &log).await,
                    }
                });
            }
        });
        Self { address, requests }
    }

    /// The requests so far: heads in lower case, bodies as they came.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    pages: &Pages,
    log: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut body = vec![0; body_length(&head)];
    stream.read_exact(&mut body).await?;
    let path = head.split(' ').nth(1).unwrap().to_owned();
    log.lock().unwrap().push(head.to_lowercase() + &String::from_utf8_lossy(&body));
    match pages(&path) {
        Reply::Bytes(bytes) => {
            stream.write_all(&bytes).await?;
            stream.shutdown().await
        }
        Reply::Drip(bytes) => {
            stream.write_all(&bytes).await?;
            let mut ticks = tokio::time::interval(Duration::from_millis(5));
            loop {
                ticks.tick().await;
                stream.write_all(b"x").await?;
                stream.flush().await?;
            }
        }
        Reply::Endless(bytes, unit) => {
            stream.write_all(&bytes).await?;
            let units = unit.repeat(65_536 / unit.len());
            loop {
                stream.write_all(&units).await?;
            }
        }
        Reply::Silence => std::future::pending().await,
    }
}

/// Bytes that follow a head, which is in no particular case.
fn body_length(head: &str) -> usize {
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.map_or(0, |length| length.parse().unwrap())
}

/// Names with fixed addresses; a name's answers follow each other, and the
/// last stays.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<HashMap<String, Vec<Vec<IpAddr>>>>);

impl Names {
    pub(super) fn with(self, name: &str, answers: &[&[&str]]) -> Self {
        let parse = |answer: &&[&str]| answer.iter().map(|ip| ip.parse().unwrap()).collect();
        let answers = answers.iter().map(parse).collect();
        self.0.lock().unwrap().insert(name.to_owned(), answers);
        self
    }

    /// A name about which the name server says nothing, ever.
    pub(super) fn silent(self, name: &str) -> Self {
        self.0.lock().unwrap().insert(name.to_owned(), Vec::new());
        self
    }
}

#[async_trait]
impl Lookup for Names {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let answer = {
            let mut names = self.0.lock().unwrap();
            let answers = names.get_mut(name).ok_or(io::ErrorKind::NotFound)?;
            if answers.len() > 1 { Some(answers.remove(0)) } else { answers.first().cloned() }
        };
        match answer {
            Some(answer) => Ok(answer),
            None => std::future::pending().await,
        }
    }
}
