//! Traces, to an OpenTelemetry collector: OTLP over HTTP with protobuf
//! bodies. Off unless set up; then every span is nothing, and costs nothing.
//!
//! What must never happen: a request or an item that waits for the collector,
//! a process that does not end because the collector does not answer, a
//! secret or a URL's query in an attribute.

mod export;
mod sampler;
mod span;

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Key, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider,
};

pub use span::{Kind, Span};

use super::TelemetryError;
use sampler::Share;

/// The tracer of this process, once traces are set up.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// Ended spans that wait for the collector at most; more are dropped. At a
/// few hundred bytes each this is some ten megabytes.
const QUEUE: usize = 16_384;

/// How long an ended span waits for others.
const DELAY: Duration = Duration::from_secs(1);

/// Links of one span at most: the images of the largest batch.
const MAX_LINKS: u32 = 256;

/// Where traces go, and which.
#[derive(Debug, Clone)]
pub struct TraceSettings {
    /// The collector's base address; `/v1/traces` is added to it, as the OTLP
    /// specification says.
    pub endpoint: url::Url,
    /// The service's name unless `OTEL_SERVICE_NAME` or
    /// `OTEL_RESOURCE_ATTRIBUTES` say another.
    pub service: &'static str,
    /// How many of a hundred requests that bring no decision of their own are
    /// traced, 0 to 100.
    pub percent: u8,
}

/// Ends the export.
#[derive(Debug, Clone)]
pub struct TracesHandle(SdkTracerProvider);

impl TracesHandle {
    /// Sends what waits, and nothing more; gives up after `patience`. Blocks,
    /// and needs the runtime to go on meanwhile.
    pub fn shutdown(&self, patience: Duration) {
        if let Err(error) = self.0.shutdown_with_timeout(patience) {
            tracing::warn!(%error, "some spans have not reached the collector");
        }
    }
}

/// Traces what this process does from now on. Call it inside the runtime that
/// is to carry the export.
///
/// # Errors
/// When traces are set up already, or the address is of no use.
pub fn init_traces(settings: &TraceSettings) -> Result<TracesHandle, TelemetryError> {
    let exporter = export::exporter(&settings.endpoint)?;
    let queue =
        BatchConfigBuilder::default().with_max_queue_size(QUEUE).with_scheduled_delay(DELAY);
    let processor = BatchSpanProcessor::builder(exporter).with_batch_config(queue.build()).build();
    let provider = SdkTracerProvider::builder()
        .with_span_processor(processor)
        .with_sampler(Share::new(settings.percent))
        .with_max_links_per_span(MAX_LINKS)
        .with_resource(resource(settings.service))
        .build();
    let tracer = provider.tracer("aisle");
    TRACER.set(tracer).map_err(|_| TelemetryError::TracesInPlace)?;
    Ok(TracesHandle(provider))
}

/// Who the spans are of: what the OpenTelemetry variables say, else the
/// service's own name.
fn resource(service: &'static str) -> Resource {
    let name = Key::from_static_str("service.name");
    let said = Resource::builder().build();
    let said = said.get(&name).map(|name| name.to_string());
    let own = said.filter(|name| !name.starts_with("unknown_service"));
    Resource::builder()
        .with_attributes([
            KeyValue::new(name, own.unwrap_or_else(|| service.to_owned())),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", uuid::Uuid::now_v7().to_string()),
        ])
        .build()
}
