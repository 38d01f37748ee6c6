//! Problems in the OpenAPI document, from the same table.

use std::collections::BTreeMap;

use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use super::{Code, ProblemBody};

/// Declares a type that describes an operation's problems in the document.
macro_rules! problems {
    ($name:ident: $($code:ident),+ $(,)?) => {
        struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses() -> std::collections::BTreeMap<
                String,
                utoipa::openapi::RefOr<utoipa::openapi::response::Response>,
            > {
                $crate::problem::described(&[$($crate::problem::Code::$code),+])
            }
        }
    };
}
pub(crate) use problems;

/// Responses for these codes, one for each status, each code with an example.
pub(crate) fn described(codes: &[Code]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.status().as_u16()).or_default().push(*code);
    }
    by_status
        .into_iter()
        .map(|(status, codes)| (status.to_string(), response(status, &codes).into()))
        .collect()
}

fn response(status: u16, codes: &[Code]) -> Response {
    let lines: Vec<_> =
        codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.title())).collect();
    let examples = codes.iter().map(|code| (code.as_str(), example(*code)));
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(ProblemBody::name())))
        .examples_from_iter(examples)
        .build();
    let response = ResponseBuilder::new()
        .description(lines.join("\n\n"))
        .content("application/problem+json", content);
    match status {
        405 => response.header("Allow", header("The methods that the address takes.")),
        429 | 503 => {
            response.header("Retry-After", header("Seconds until trying again is worth it."))
        }
        _ => response,
    }
    .build()
}

fn header(description: &str) -> utoipa::openapi::Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(SchemaType::new(Type::String))))
        .description(Some(description))
        .build()
}

fn example(code: Code) -> RefOr<utoipa::openapi::example::Example> {
    ExampleBuilder::new()
        .summary(code.title())
        .value(Some(json!({
            "type": code.type_uri(),
            "title": code.title(),
            "status": code.status().as_u16(),
            "detail": code.title(),
            "instance": "/v1/jobs",
            "code": code.as_str(),
            "request_id": "019a3c5e-7b1f-7c3a-9d52-1f0e6a8b4c2d",
        })))
        .into()
}
