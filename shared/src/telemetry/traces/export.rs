//! The way to the collector: the OTLP exporter over this process' own HTTP
//! client, so that there is one TLS and no second runtime.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use tokio::runtime::Handle;
use url::Url;

use crate::fetch::tls;
use crate::telemetry::{TelemetryError, names};

/// How long the collector may take to accept a batch.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes of the collector's answer that are read at most.
const MAX_ANSWER: usize = 64 * 1024;

/// An exporter to the collector at `endpoint`.
pub(super) fn exporter(endpoint: &Url) -> Result<SpanExporter, TelemetryError> {
    let base = endpoint.as_str().trim_end_matches('/');
    SpanExporter::builder()
        .with_http()
        .with_http_client(Client::new()?)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{base}/v1/traces"))
        .with_timeout(PATIENCE)
        .build()
        .map_err(|error| TelemetryError::Traces(error.to_string()))
}

/// The exporter runs on a thread of its own, and the client in the process'
/// runtime.
#[derive(Debug)]
struct Client {
    inner: reqwest::Client,
    runtime: Handle,
    /// Of failures in a row the first is logged, and the success after them.
    failing: AtomicBool,
}

impl Client {
    fn new() -> Result<Self, TelemetryError> {
        let set_up = |error: &dyn std::error::Error| TelemetryError::Traces(error.to_string());
        let tls = tls::client_config(tls::public_roots()).map_err(|error| set_up(&error))?;
        // The collector is the operator's own, wherever it stands: no guard.
        let inner = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()
            .map_err(|error| set_up(&error))?;
        let runtime = Handle::try_current().map_err(|error| set_up(&error))?;
        Ok(Self { inner, runtime, failing: AtomicBool::new(false) })
    }

    fn note(&self, failure: Option<&str>) {
        let failed_before = self.failing.swap(failure.is_some(), Ordering::Relaxed);
        match failure {
            Some(error) => {
                metrics::counter!(names::TRACE_EXPORT_ERRORS_TOTAL).increment(1);
                if !failed_before {
                    tracing::warn!(error, "the trace collector takes no spans; they are dropped");
                }
            }
            None if failed_before => tracing::info!("the trace collector takes spans again"),
            None => {}
        }
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.inner.clone();
        let sent = self.runtime.spawn(send(client, request)).await;
        let answer = sent.map_err(HttpError::from).and_then(|answer| answer);
        match &answer {
            Ok(answer) if answer.status().is_success() => self.note(None),
            Ok(answer) => self.note(Some(answer.status().as_str())),
            Err(error) => self.note(Some(&error.to_string())),
        }
        answer
    }
}

async fn send(
    client: reqwest::Client,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, HttpError> {
    let mut answer = client.execute(request.try_into()?).await?;
    let status = answer.status();
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await? {
        if body.len() + part.len() > MAX_ANSWER {
            return Err("the collector's answer is too long".into());
        }
        body.extend_from_slice(&part);
    }
    Ok(Response::builder().status(status).body(Bytes::from(body))?)
}
