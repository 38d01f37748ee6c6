//! A running API, bare sockets to it, and what must hold after each attack.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use aisle_tests::harness::Backend;
use aisle_tests::pictures::{Colour, picture};
use aisle_tests::places::files_below;
use aisle_tests::service::{Processes, Service};
use image::ImageFormat;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take; far more than any needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes that the API may take beyond what it had before an attack: the
/// longest body that it keeps as a whole, twice over, and room to spare.
const MEMORY: u64 = 256 << 20;

/// A service whose API is a process of its own.
pub(crate) struct Target {
    pub(crate) service: Service,
    memory: u64,
    files: BTreeSet<PathBuf>,
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A status, and a problem's code if the body is one.
    Status(u16, String),
    /// The connection was closed without a word.
    Closed,
}

impl Target {
    pub(crate) async fn start(backend: Backend) -> Self {
        let service = Service::tiny(backend, Processes::Apart, &[]).await;
        let memory = service.peak_memory("api");
        let files = outside(&service);
        Self { service, memory, files }
    }

    /// Sends bytes as they are and reads one answer.
    pub(crate) async fn send(&self, bytes: &[u8]) -> Answer {
        self.send_all([bytes.to_vec()]).await
    }

    /// Sends pieces until the API has answered or has had enough.
    pub(crate) async fn send_all(&self, pieces: impl IntoIterator<Item = Vec<u8>>) -> Answer {
        let address = self.service.base.trim_start_matches("http://");
        let stream = TcpStream::connect(address).await.expect("a connection");
        let (mut incoming, mut outgoing) = stream.into_split();
        let write = async {
            for piece in pieces {
                // Refusing to read on is a way to answer.
                if outgoing.write_all(&piece).await.is_err() {
                    break;
                }
            }
            std::future::pending::<()>().await;
        };
        let read = async {
            let mut answer = Vec::new();
            let mut part = [0; 4096];
            while !is_whole(&answer) {
                match incoming.read(&mut part).await {
                    Ok(0) | Err(_) => break,
                    Ok(read) => answer.extend_from_slice(&part[..read]),
                }
            }
            answer
        };
        let answer = async {
            tokio::select! {
                answer = read => answer,
                () = write => Vec::new(),
            }
        };
        parse(&timeout(PATIENCE, answer).await.expect("an answer in time"))
    }

    /// What must hold whatever was sent.
    pub(crate) async fn assert_unharmed(&self) {
        let picture = picture(Colour::Red, 32, 32, ImageFormat::Png);
        let answer = self.send(&post("image/png", &[], &picture)).await;
        assert_eq!(answer, Answer::Status(202, String::new()), "the next caller is served");
        let peak = self.service.peak_memory("api");
        assert!(peak < self.memory + MEMORY, "{} MiB, then {}", self.memory >> 20, peak >> 20);
        assert_eq!(outside(&self.service), self.files, "files outside the data folder");
        let failed = self.service.logs().lines().filter(|line| line.contains("panicked")).count();
        assert_eq!(failed, 0, "{}", self.service.logs());
    }
}

/// Files that the API has no business to write: all but its data, its
/// database and its logs.
fn outside(service: &Service) -> BTreeSet<PathBuf> {
    let folder = service.folder();
    let own = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        path.starts_with(folder.join("data"))
            || name.starts_with("aisle.db")
            || name.ends_with(".log")
    };
    files_below(folder).into_iter().filter(|path| !own(path)).collect()
}

/// Whether an answer is there up to its last byte, as far as it has a length.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_some_and(|length| body.len() >= length.trim().parse().unwrap_or(0))
}

fn parse(answer: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return Answer::Closed };
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    Answer::Status(status, body["code"].as_str().unwrap_or_default().to_owned())
}

/// The answer that a refusal is.
pub(crate) fn refused(status: u16, code: &str) -> Answer {
    Answer::Status(status, code.to_owned())
}

/// A request with a body to `/v1/jobs`.
pub(crate) fn post(content_type: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let length = format!("Content-Length: {}", body.len());
    let head = head(content_type, &[headers, &[&length]].concat());
    [head.as_bytes(), body].concat()
}

/// The head of such a request, with these headers besides.
pub(crate) fn head(content_type: &str, headers: &[&str]) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!("POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\n{headers}\r\n")
}

/// Bytes as one chunk of a chunked body.
pub(crate) fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}
