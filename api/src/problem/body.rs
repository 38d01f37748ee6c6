//! A problem as callers read it.

use serde::Serialize;
use utoipa::ToSchema;

use super::Code;

/// A problem document (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// The kind of problem as a URI.
    #[serde(rename = "type")]
    #[schema(format = Uri, example = "urn:problem-type:aisle:unknown_model")]
    pub(crate) kind: String,
    /// What the code means, the same each time.
    pub(crate) title: &'static str,
    /// The answer's HTTP status.
    #[schema(minimum = 400, maximum = 599, example = 422)]
    pub(crate) status: u16,
    /// What went wrong this time, for people.
    pub(crate) detail: &'a str,
    /// The address that was asked.
    #[schema(format = UriReference, example = "/v1/jobs")]
    pub(crate) instance: &'a str,
    /// What went wrong, for programs.
    pub(crate) code: Code,
    /// Names this request in the service's log.
    pub(crate) request_id: &'a str,
    /// Whose limit was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, inline)]
    pub(crate) scope: Option<Scope>,
    /// The policies of `RateLimit-Policy` that the request violates.
    #[serde(rename = "violated-policies", skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false, example = json!(["default"]))]
    pub(crate) violated_policies: &'a [&'static str],
    /// Each place that is wrong, where it can be named.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    pub(crate) errors: &'a [FieldError],
}

/// Whose limit is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scope {
    /// The caller's own.
    Tenant,
    /// That of all callers together.
    Service,
}

/// One wrong place of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// What is wrong with it.
    pub(crate) detail: String,
    /// The place in the body: a JSON pointer (RFC 6901) as a URI fragment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "#/images/0/base64")]
    pub(crate) pointer: Option<String>,
    /// The query parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) parameter: Option<String>,
}

impl FieldError {
    /// A wrong place in the body.
    pub(crate) fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), pointer: Some(pointer.into()), parameter: None }
    }

    /// A wrong query parameter.
    pub(crate) fn of_parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), pointer: None, parameter: Some(name.into()) }
    }
}
