//! The request's part of a distributed trace: a server span below the one
//! that the caller names in `traceparent` (W3C Trace Context). Names and keys
//! are those of OpenTelemetry's HTTP conventions.

use actix_web::HttpMessage;
use actix_web::HttpRequest;
use actix_web::dev::ServiceRequest;
use actix_web::http::StatusCode;
use aisle_shared::domain::TraceParent;
use aisle_shared::telemetry::{Span, SpanKind};

use crate::problem::Code;

/// Where a request stands in a trace, as handlers find it.
struct Traced(Option<TraceParent>);

/// Begins the request's span. Health checks and scrapes have none: they come
/// every few seconds and tell nothing.
pub(super) fn begin(request: &ServiceRequest, method: &'static str) -> Span {
    let path = request.path();
    if path.starts_with("/health/") || path == "/metrics" {
        return Span::default();
    }
    let parent = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    let parent: Option<TraceParent> = parent.and_then(|text| text.trim().parse().ok());
    let mut span = Span::start(SpanKind::Server, || method, parent.as_ref());
    if span.is_recording() {
        span.set("http.request.method", method);
        span.set("url.path", path.to_owned());
        span.set("url.scheme", "http");
    }
    request.extensions_mut().insert(Traced(span.context()));
    span
}

/// What the span says once the answer is known.
pub(super) fn answered(
    span: &mut Span,
    method: &'static str,
    route: Option<&str>,
    status: StatusCode,
    problem: Option<Code>,
) {
    if !span.is_recording() {
        return;
    }
    if let Some(route) = route {
        span.rename(format!("{method} {route}"));
        span.set("http.route", route.to_owned());
    }
    span.set("http.response.status_code", i64::from(status.as_u16()));
    match problem {
        // By the conventions, a server's span has not failed for a caller's fault.
        Some(code) if status.is_server_error() => span.fail(code.as_str()),
        Some(code) => span.set("aisle.problem", code.as_str()),
        None => {}
    }
}

/// Where a request stands in its trace, for what it leaves behind.
pub(crate) fn of(request: &HttpRequest) -> Option<TraceParent> {
    request.extensions().get::<Traced>().and_then(|traced| traced.0.clone())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn passed_on(path: &str, given: &str) -> Option<String> {
        let request = TestRequest::with_uri(path).insert_header(("traceparent", given));
        let request = request.to_srv_request();
        drop(begin(&request, "GET"));
        of(request.request()).map(|parent| parent.as_str().to_owned())
    }

    #[test]
    fn a_callers_place_in_a_trace_is_passed_on_even_where_traces_are_off() {
        assert_eq!(passed_on("/v1/jobs", GIVEN).as_deref(), Some(GIVEN));
        assert_eq!(passed_on("/v1/jobs", "00-0-0-1"), None);
        assert_eq!(passed_on("/health/live", GIVEN), None);
    }
}
