//! A trace collector on loopback: takes OTLP over HTTP as protobuf, and keeps
//! the spans.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use prost::Message as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A span as the collector received it.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// Which process sent it: the resource's `service.name`.
    pub service: String,
    /// Its name.
    pub name: String,
    /// Its kind, by the number in OTLP: 1 internal, 2 server, 3 client,
    /// 4 producer, 5 consumer.
    pub kind: i32,
    /// Its trace, its own id and its parent's, as hex digits.
    pub trace: String,
    /// Its own id as hex digits.
    pub id: String,
    /// Its parent's id as hex digits; empty for the first of a trace.
    pub parent: String,
    /// Its attributes as text.
    pub attributes: BTreeMap<String, String>,
    /// The spans it links to: trace and span.
    pub links: Vec<(String, String)>,
    /// Nanoseconds from its start to its end.
    pub took: u64,
}

/// A collector that keeps what it is sent.
#[derive(Debug)]
pub struct Collector {
    /// Its base address, as `AISLE_OTLP_ENDPOINT` takes it.
    pub endpoint: String,
    spans: Arc<Mutex<Vec<Received>>>,
    server: JoinHandle<()>,
}

impl Collector {
    /// Starts a collector.
    ///
    /// # Panics
    /// When no loopback port can be had.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let endpoint = format!("http://{}", listener.local_addr().expect("a bound address"));
        let spans = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&spans);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&kept)));
            }
        });
        Self { endpoint, spans, server }
    }

    /// The spans that came so far.
    #[must_use]
    pub fn spans(&self) -> Vec<Received> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Answers the requests of one connection.
async fn serve(stream: TcpStream, spans: Arc<Mutex<Vec<Received>>>) {
    let mut stream = BufStream::new(stream);
    while let Some(body) = request(&mut stream).await {
        let request = ExportTraceServiceRequest::decode(&*body).expect("an OTLP request");
        spans.lock().unwrap_or_else(PoisonError::into_inner).extend(received(request));
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n\
                      content-length: 0\r\n\r\n";
        if stream.write_all(answer.as_bytes()).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

/// The body of the next request, which has to be one of spans.
async fn request(stream: &mut BufStream<TcpStream>) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    assert!(head.starts_with("post /v1/traces "), "{head}");
    assert!(head.contains("content-type: application/x-protobuf"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let mut body = vec![0; length.expect("a length").trim().parse().expect("a number")];
    stream.read_exact(&mut body).await.ok()?;
    Some(body)
}

fn received(request: ExportTraceServiceRequest) -> Vec<Received> {
    let mut spans = Vec::new();
    for of_resource in request.resource_spans {
        let resource = of_resource.resource.map(|it| attributes(it.attributes)).unwrap_or_default();
        let service = resource.get("service.name").cloned().unwrap_or_default();
        for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            spans.push(Received {
                service: service.clone(),
                name: span.name,
                kind: span.kind,
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                attributes: attributes(span.attributes),
                links: span
                    .links
                    .iter()
                    .map(|link| (hex(&link.trace_id), hex(&link.span_id)))
                    .collect(),
                took: span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano),
            });
        }
    }
    spans
}

fn attributes(pairs: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: Option<AnyValue>| match value.and_then(|any| any.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::BoolValue(truth)) => truth.to_string(),
        _ => String::new(),
    };
    pairs.into_iter().map(|pair| (pair.key, text(pair.value))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
