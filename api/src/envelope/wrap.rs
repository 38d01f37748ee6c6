//! The middleware.

use std::panic::AssertUnwindSafe;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::CONTENT_TYPE;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, ResponseError};
use aisle_shared::domain::KeyId;
use aisle_shared::telemetry::names;
use futures::FutureExt;
use tracing::Instrument;

use super::headers;
use super::request::Request;
use super::trace;
use super::unread::Unread;
use crate::admission::Quota;
use crate::caller::Caller;
use crate::problem::{Code, Problem};

/// Wraps every request, from before its route is known until its answer's
/// head is complete.
pub(crate) async fn envelope(
    mut service_request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut request = Request::of(&service_request);
    if request.is_head() {
        // Routes know GET only; the server leaves the body out.
        service_request.head_mut().method = Method::GET;
    }
    let unread = Unread::of(&mut service_request);
    let span = tracing::info_span!(
        "request", request_id = %request.id, trace_id = request.span.trace_id()
    );
    let handled = AssertUnwindSafe(next.call(service_request)).catch_unwind();
    let answer = match handled.instrument(span).await {
        Ok(Ok(answer)) => answer.map_into_boxed_body(),
        Ok(Err(error)) => return Err(lost(request, Problem::from_actix(&error))),
        Err(_) => return Err(lost(request, Problem::internal("the handler panicked"))),
    };
    Ok(complete(&mut request, answer, unread))
}

/// An answer with its problem rendered and its headers added, noted in the
/// log and in the metrics.
fn complete(
    request: &mut Request,
    answer: ServiceResponse,
    unread: Option<Unread>,
) -> ServiceResponse {
    let problem = problem_of(&answer).map(|problem| problem.of_request(&request.id, &request.path));
    let mut answer = match &problem {
        Some(problem) => answer.into_response(problem.error_response()),
        None if request.is_head() => answer.map_body(|_, body| sized(body)),
        None => answer,
    };
    if let (Some(_), Some(unread)) = (&problem, unread) {
        answer = answer.map_body(|_, body| unread.until_sent(body));
    }
    headers::add(answer.headers_mut(), request, problem.is_none());
    let quota = answer.request().extensions().get::<Quota>().copied();
    if let Some(quota) = quota {
        quota.tell(answer.headers_mut());
    }
    let route = answer.request().match_pattern();
    let key = answer.request().extensions().get::<Caller>().and_then(Caller::key_id);
    note(request, route.as_deref(), answer.status(), problem.as_ref(), key.as_ref());
    answer
}

/// The problem that an answer stands for, if it stands for one.
fn problem_of(answer: &ServiceResponse) -> Option<Problem> {
    let response = answer.response();
    if let Some(error) = response.error() {
        return Some(Problem::from_actix(error));
    }
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let rendered = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/problem+json"));
    (is_error && !rendered).then(|| Problem::from_status(status))
}

/// An error in place of an answer, for a request that was lost on the way.
fn lost(mut request: Request, problem: Problem) -> Error {
    let problem = problem.of_request(&request.id, &request.path);
    note(&mut request, None, problem.code().status(), Some(&problem), None);
    let response = Complete { problem, request };
    response.into()
}

/// A problem that adds the headers itself, because no answer is there to add
/// them to.
#[derive(Debug)]
struct Complete {
    problem: Problem,
    request: Request,
}

impl std::fmt::Display for Complete {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.problem.fmt(f)
    }
}

impl ResponseError for Complete {
    fn status_code(&self) -> StatusCode {
        self.problem.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.problem.error_response();
        headers::add(response.headers_mut(), &self.request, false);
        response
    }
}

/// A stream may never end, so nobody reads it for its head alone.
fn sized(body: BoxBody) -> BoxBody {
    if body.size() == BodySize::Stream { BoxBody::new(()) } else { body }
}

fn note(
    request: &mut Request,
    route: Option<&str>,
    status: StatusCode,
    problem: Option<&Problem>,
    key: Option<&KeyId>,
) {
    let code = problem.map(Problem::code);
    trace::answered(&mut request.span, request.method, route, status, code);
    let route = route.unwrap_or("none");
    let elapsed = request.started.elapsed();
    metrics::histogram!(
        names::HTTP_REQUEST_DURATION_SECONDS,
        "method" => request.method, "route" => route.to_owned(), "status" => status.as_str().to_owned()
    )
    .record(elapsed.as_secs_f64());
    let Request { id, method, path, span, .. } = request;
    let trace_id = span.trace_id();
    let (status, duration_ms) = (status.as_u16(), elapsed.as_secs_f64() * 1_000.0);
    let refused = code.filter(|code| code.is_refusal());
    let code = code.map(Code::as_str);
    let cause = problem.and_then(Problem::cause);
    let key = key.map(KeyId::as_str);
    if let Some(refused) = refused {
        metrics::counter!(names::REFUSALS_TOTAL, "reason" => refused.as_str()).increment(1);
    }
    if status >= 500 {
        tracing::error!(
            request_id = id,
            trace_id,
            method,
            path,
            route,
            status,
            duration_ms,
            key,
            code,
            cause,
            "request"
        );
    } else {
        tracing::info!(
            request_id = id,
            trace_id,
            method,
            path,
            route,
            status,
            duration_ms,
            key,
            code,
            cause,
            "request"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::to_bytes;
    use actix_web::dev::Service;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, init_service};
    use actix_web::{App, HttpRequest, web};
    use serde_json::Value;

    async fn panics(_: HttpRequest) -> HttpResponse {
        panic!("secret")
    }

    async fn endless() -> HttpResponse {
        HttpResponse::Ok().streaming(futures::stream::repeat_with(|| Ok::<_, Error>("more".into())))
    }

    #[actix_web::test]
    async fn a_panic_is_a_problem_that_says_nothing_of_itself() {
        let app = App::new().wrap(from_fn(envelope)).route("/", web::get().to(panics));
        let app = init_service(app).await;
        let request = TestRequest::get().uri("/").insert_header(("x-request-id", "r-1"));
        let response = app.call(request.to_request()).await.unwrap_err().error_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers().get("x-request-id").unwrap(), "r-1");
        assert_eq!(response.headers().get("x-content-type-options").unwrap(), "nosniff");
        let body = to_bytes(response.into_body()).await.unwrap();
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["code"], "internal");
        assert_eq!(problem["request_id"], "r-1");
        assert!(!String::from_utf8_lossy(&body).contains("secret"));
    }

    #[actix_web::test]
    async fn a_stream_is_not_read_for_its_head() {
        let app = App::new().wrap(from_fn(envelope)).route("/", web::get().to(endless));
        let app = init_service(app).await;
        let request = TestRequest::with_uri("/").method(Method::HEAD).to_request();
        let response = app.call(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.into_body().size(), BodySize::Sized(0));
    }
}
