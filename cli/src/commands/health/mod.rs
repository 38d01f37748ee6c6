//! `aisle health`: a health check for containers that have no other program
//! inside. Speaks just enough HTTP/1.1 (RFC 9112) to read a status.

mod trust;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use crate::args::HealthArgs;
use crate::settings::Settings;

const TIMEOUT: Duration = Duration::from_secs(3);

/// What is asked, and how.
struct Question {
    url: Url,
    tls: Option<Arc<ClientConfig>>,
}

/// Asks and fails unless the answer's status is 200.
pub(crate) async fn run(args: HealthArgs) -> anyhow::Result<()> {
    let question = question(args)?;
    let url = &question.url;
    let status = tokio::time::timeout(TIMEOUT, status(&question))
        .await
        .with_context(|| format!("{url} did not answer within {} s", TIMEOUT.as_secs()))?
        .with_context(|| format!("{url} did not answer"))?;
    if status != "200" {
        bail!("{url} answered with status {status}");
    }
    Ok(())
}

fn question(args: HealthArgs) -> anyhow::Result<Question> {
    let settings = Settings::resolve(args.settings)?;
    let text = args.url.unwrap_or_else(|| own_url(&settings));
    let url: Url = text.parse().with_context(|| format!("{text} is no URL"))?;
    let tls = match url.scheme() {
        "http" => None,
        "https" => {
            let own: Option<PathBuf> = settings.tls.map(|files| files.cert);
            Some(Arc::new(trust::client(args.ca.or(own).as_deref())?))
        }
        _ => bail!("{url} is neither an http:// nor an https:// URL"),
    };
    Ok(Question { url, tls })
}

/// Where the API that has these settings is ready, asked from its own machine.
fn own_url(settings: &Settings) -> String {
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    let mut address = settings.listen;
    if address.ip().is_unspecified() {
        let here =
            if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        address.set_ip(here);
    }
    format!("{scheme}://{address}/health/ready")
}

async fn status(Question { url, tls }: &Question) -> anyhow::Result<String> {
    let host = url.host_str().context("no host")?;
    let port = url.port_or_known_default().context("no port")?;
    // An IPv6 literal stands in brackets in a URL, and without them here.
    let bare = host.trim_matches(['[', ']']);
    let stream = TcpStream::connect((bare, port)).await?;
    match tls {
        None => ask(stream, host, url.path()).await,
        Some(config) => {
            let name = ServerName::try_from(bare.to_owned())?;
            let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream).await?;
            ask(stream, host, url.path()).await
        }
    }
}

async fn ask<S>(stream: S, host: &str, path: &str) -> anyhow::Result<String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.split_whitespace().next());
    status.map(str::to_owned).context("not an HTTP/1.1 answer")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::SettingsArgs;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    fn asking(url: Option<String>) -> HealthArgs {
        HealthArgs { url, ca: None, settings: SettingsArgs::default() }
    }

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
        tokio::join!(run(asking(Some(url))), server).0
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
        assert!(run(asking(Some(url))).await.is_err());
    }

    #[test]
    fn without_a_url_the_api_of_these_settings_is_asked() {
        let own = |listen: &str| {
            let mut settings = Settings::resolve(SettingsArgs::default()).unwrap();
            settings.listen = listen.parse().unwrap();
            own_url(&settings)
        };
        assert_eq!(own("0.0.0.0:8080"), "http://127.0.0.1:8080/health/ready");
        assert_eq!(own("[::]:8080"), "http://[::1]:8080/health/ready");
        assert_eq!(own("192.0.2.7:81"), "http://192.0.2.7:81/health/ready");
    }
}
