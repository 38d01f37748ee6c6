//! `aisle health URL`: a health check for containers that have no other
//! program inside. Speaks just enough HTTP/1.1 (RFC 9112) to read a status.

use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use url::Url;

use crate::args::HealthArgs;

const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks and fails unless the answer's status is 200.
pub(crate) async fn run(args: &HealthArgs) -> anyhow::Result<()> {
    let url: Url = args.url.parse().with_context(|| format!("{} is no URL", args.url))?;
    let status = tokio::time::timeout(TIMEOUT, status(&url))
        .await
        .with_context(|| format!("{url} did not answer within {} s", TIMEOUT.as_secs()))?
        .with_context(|| format!("{url} did not answer"))?;
    if status != "200" {
        bail!("{url} answered with status {status}");
    }
    Ok(())
}

async fn status(url: &Url) -> anyhow::Result<String> {
    let host = url.host_str().filter(|_| url.scheme() == "http").context("not an http:// URL")?;
    let port = url.port_or_known_default().context("no port")?;
    // An IPv6 literal stands in brackets in a URL, and without them here.
    let address = (host.trim_matches(['[', ']']), port);
    let mut stream = BufReader::new(TcpStream::connect(address).await?);
    let request =
        format!("GET {} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n", url.path());
    stream.write_all(request.as_bytes()).await?;
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.split_whitespace().next());
    status.map(str::to_owned).context("not an HTTP/1.1 answer")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    async fn ask_one_that_answers(answer: &'static str) -> anyhow::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/health/ready", listener.local_addr().unwrap());
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).await.unwrap();
            assert!(request[..length].starts_with(b"GET /health/ready HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).await.unwrap();
        };
        let args = HealthArgs { url };
        tokio::join!(run(&args), server).0
    }

    #[tokio::test]
    async fn a_service_that_is_well_is_well() {
        ask_one_that_answers("HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    }

    #[tokio::test]
    async fn a_service_that_says_it_is_not_ready_is_not_well() {
        let error = ask_one_that_answers("HTTP/1.1 503 Service Unavailable\r\n\r\n").await;
        assert!(error.unwrap_err().to_string().ends_with("status 503"));
    }

    #[tokio::test]
    async fn nobody_listening_is_not_well() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        assert!(run(&HealthArgs { url }).await.is_err());
    }
}
