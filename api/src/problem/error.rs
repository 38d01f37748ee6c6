//! The error that handlers return.

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};

use super::{Code, FieldError, ProblemBody, Scope};

/// A problem on its way to the caller.
#[derive(Debug, Clone)]
pub(crate) struct Problem(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    code: Code,
    detail: String,
    errors: Vec<FieldError>,
    scope: Option<Scope>,
    violated: Vec<&'static str>,
    retry_after: Option<Duration>,
    allow: Option<HeaderValue>,
    challenge: Option<String>,
    cause: Option<String>,
    request_id: String,
    instance: String,
}

impl Problem {
    /// A problem with a sentence for people.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            scope: None,
            violated: Vec::new(),
            retry_after: None,
            allow: None,
            challenge: None,
            cause: None,
            request_id: String::new(),
            instance: String::new(),
        }))
    }

    /// Something that only the log may know in full.
    pub(crate) fn internal(cause: impl fmt::Display) -> Self {
        let detail = "Something failed on our side; the request id names it in the log.";
        Self::new(Code::Internal, detail).caused_by(cause)
    }

    /// Nobody has said who they are.
    pub(crate) fn unauthenticated() -> Self {
        let detail = "Send an API key as `Authorization: Bearer …`.";
        Self::new(Code::Unauthenticated, detail).challenging("Bearer")
    }

    /// Names wrong places.
    pub(crate) fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.0.errors = errors;
        self
    }

    /// Says when to try again.
    pub(crate) fn retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// Says whose limit was reached.
    pub(crate) fn within(mut self, scope: Scope) -> Self {
        self.0.scope = Some(scope);
        self
    }

    /// Says which policy of `RateLimit-Policy` was violated.
    pub(crate) fn violating(mut self, policy: &'static str) -> Self {
        self.0.violated.push(policy);
        self
    }

    /// Says which methods the address takes.
    pub(crate) fn allowing(mut self, methods: HeaderValue) -> Self {
        self.0.allow = Some(methods);
        self
    }

    /// Says how to prove who one is (`WWW-Authenticate`, RFC 6750).
    pub(crate) fn challenging(mut self, challenge: &str) -> Self {
        self.0.challenge = Some(challenge.to_owned());
        self
    }

    /// Says why, to the log only.
    pub(crate) fn caused_by(mut self, cause: impl fmt::Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// Names the request that failed.
    pub(crate) fn of_request(mut self, request_id: &str, instance: &str) -> Self {
        request_id.clone_into(&mut self.0.request_id);
        instance.clone_into(&mut self.0.instance);
        self
    }

    pub(crate) fn code(&self) -> Code {
        self.0.code
    }

    pub(crate) fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }
}

/// Seconds as `Retry-After` has them: at least one, and never too early.
fn whole_seconds(after: Duration) -> u64 {
    u64::try_from(after.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX).max(1)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.as_str(), self.0.detail)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.0.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        let inner = &self.0;
        let body = ProblemBody {
            kind: inner.code.type_uri(),
            title: inner.code.title(),
            status: inner.code.status().as_u16(),
            detail: &inner.detail,
            instance: &inner.instance,
            code: inner.code,
            request_id: &inner.request_id,
            errors: &inner.errors,
            scope: inner.scope,
            violated_policies: &inner.violated,
        };
        let mut response = HttpResponse::build(self.status_code());
        response.insert_header((CONTENT_TYPE, "application/problem+json"));
        if let Some(after) = inner.retry_after {
            response.insert_header((RETRY_AFTER, whole_seconds(after)));
        }
        if let Some(allow) = &inner.allow {
            response.insert_header((ALLOW, allow.clone()));
        }
        if let Some(challenge) = &inner.challenge {
            response.insert_header((WWW_AUTHENTICATE, challenge.as_str()));
        }
        response.json(body)
    }
}
