//! One span.

use std::borrow::Cow;
use std::time::{Instant, SystemTime};

use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
    TraceState, Tracer as _,
};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::trace::Span as SdkSpan;

use super::TRACER;
use crate::domain::TraceParent;

/// Which side of a call or a message a span is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Answers a request.
    Server,
    /// Works on what came through the queue.
    Consumer,
    /// Calls another service.
    Client,
    /// A step inside.
    Internal,
}

impl From<Kind> for SpanKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Server => Self::Server,
            Kind::Consumer => Self::Consumer,
            Kind::Client => Self::Client,
            Kind::Internal => Self::Internal,
        }
    }
}

/// A span that ends when dropped; nothing where traces are off or this one is
/// not recorded. Even then it passes its place in the trace on.
#[derive(Debug, Default)]
pub struct Span {
    inner: Option<SdkSpan>,
    parent: Option<TraceParent>,
}

impl Span {
    /// Begins a span below `parent`, or a trace of its own. The name is asked
    /// for only where traces are on; it has few values, never an id.
    pub fn start<N: Into<Cow<'static, str>>>(
        kind: Kind,
        name: impl FnOnce() -> N,
        parent: Option<&TraceParent>,
    ) -> Self {
        let inner = TRACER.get().map(|tracer| {
            let builder = tracer.span_builder(name()).with_kind(kind.into());
            tracer.build_with_context(builder, &below(parent.and_then(remote)))
        });
        Self { inner, parent: parent.cloned() }
    }

    /// Begins a trace that links to each of these spans; nothing where none of
    /// them is recorded.
    pub fn linked<'s, N: Into<Cow<'static, str>>>(
        kind: Kind,
        name: impl FnOnce() -> N,
        to: impl Iterator<Item = &'s Self>,
    ) -> Self {
        let Some(tracer) = TRACER.get() else { return Self::default() };
        let links: Vec<_> = to
            .filter_map(|span| span.inner.as_ref())
            .map(|span| opentelemetry::trace::Link::with_context(span.span_context().clone()))
            .collect();
        if links.is_empty() {
            return Self::default();
        }
        let builder = tracer.span_builder(name()).with_kind(kind.into()).with_links(links);
        let inner = tracer.build_with_context(builder, &Context::new());
        Self { inner: Some(inner), parent: None }
    }

    /// Whether anything of this span will be seen.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.inner.as_ref().is_some_and(SdkSpan::is_recording)
    }

    /// The span's place in its trace, for those who come after; where traces
    /// are off, the place that it was given.
    #[must_use]
    pub fn context(&self) -> Option<TraceParent> {
        let own = self.inner.as_ref().and_then(|span| written(span.span_context()));
        own.or_else(|| self.parent.clone())
    }

    /// The trace's id as logs show it: 32 hex digits.
    #[must_use]
    pub fn trace_id(&self) -> Option<String> {
        let own = self.inner.as_ref().map(|span| span.span_context().trace_id().to_string());
        own.or_else(|| self.parent.as_ref().map(|parent| parent.trace_id().to_owned()))
    }

    /// Sets an attribute.
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        if let Some(span) = &mut self.inner {
            span.set_attribute(KeyValue::new(key, value));
        }
    }

    /// Gives the span another name.
    pub fn rename(&mut self, name: String) {
        if let Some(span) = &mut self.inner {
            span.update_name(name);
        }
    }

    /// Marks the span as failed, for a reason that has few values.
    pub fn fail(&mut self, reason: &'static str) {
        if let Some(span) = &mut self.inner {
            span.set_attribute(KeyValue::new("error.type", reason));
            span.set_status(Status::error(reason));
        }
    }

    /// Links to another span.
    pub fn link(&mut self, other: &Self) {
        if let (Some(span), Some(other)) = (&mut self.inner, &other.inner) {
            span.add_link(other.span_context().clone(), Vec::new());
        }
    }

    /// A step inside this span, from one instant to another, both past.
    pub fn stage(&self, name: &'static str, from: Instant, to: Instant) {
        let (Some(tracer), Some(span)) = (TRACER.get(), &self.inner) else { return };
        if !span.is_recording() {
            return;
        }
        let now = SystemTime::now();
        let at = |instant: Instant| now.checked_sub(instant.elapsed()).unwrap_or(now);
        let builder = tracer.span_builder(name).with_start_time(at(from));
        let context = below(Some(span.span_context().clone()));
        tracer.build_with_context(builder, &context).end_with_timestamp(at(to));
    }
}

fn below(parent: Option<SpanContext>) -> Context {
    match parent {
        Some(parent) => Context::new().with_remote_span_context(parent),
        None => Context::new(),
    }
}

/// The place that a caller named.
fn remote(parent: &TraceParent) -> Option<SpanContext> {
    let trace = TraceId::from_hex(parent.trace_id()).ok()?;
    let span = SpanId::from_hex(parent.parent_id()).ok()?;
    let flags = TraceFlags::new(parent.flags()) & TraceFlags::SAMPLED;
    Some(SpanContext::new(trace, span, flags, true, TraceState::default()))
}

fn written(context: &SpanContext) -> Option<TraceParent> {
    let flags = u8::from(context.is_sampled());
    format!("00-{}-{}-{flags:02x}", context.trace_id(), context.span_id()).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_place_in_a_trace_is_understood_and_written_again() {
        let context = remote(&GIVEN.parse().unwrap()).unwrap();
        assert!(context.is_remote() && context.is_sampled());
        assert_eq!(written(&context).unwrap().as_str(), GIVEN);
    }

    #[test]
    fn where_traces_are_off_a_span_is_nothing_but_passes_its_place_on() {
        let given: TraceParent = GIVEN.parse().unwrap();
        let name = || -> &'static str { panic!("nobody needs a name") };
        let mut span = Span::start(Kind::Server, name, Some(&given));
        span.set("key", 1);
        span.stage("step", Instant::now(), Instant::now());
        assert!(!span.is_recording());
        assert_eq!(span.context(), Some(given));
        assert_eq!(span.trace_id().as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        assert_eq!(Span::linked(Kind::Consumer, name, [&span].into_iter()).context(), None);
    }
}
