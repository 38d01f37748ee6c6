//! A caller's own name for a request
//! (draft-ietf-httpapi-idempotency-key-header-07).

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::HeaderName;
use actix_web::{FromRequest, HttpRequest};
use sfv::{BareItem, Item, Parser};

use crate::problem::{Code, Problem};

/// The request's header field.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// `true` on an answer that tells of a job which an earlier request made.
pub(crate) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Characters of a key at most.
const MAX_CHARS: usize = 255;

/// The key, if the request has one: 1 to 255 visible ASCII characters. The
/// draft wants a string of structured fields, in quotation marks; most clients
/// send the bare characters, which are taken as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdempotencyKey(pub(crate) Option<String>);

impl FromRequest for IdempotencyKey {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut fields = request.headers().get_all(IDEMPOTENCY_KEY);
        ready(match (fields.next(), fields.next()) {
            (None, _) => Ok(Self(None)),
            (Some(field), None) => {
                parse(field.as_bytes()).map(|key| Self(Some(key))).ok_or_else(invalid)
            }
            (Some(_), Some(_)) => Err(invalid()),
        })
    }
}

impl IdempotencyKey {
    /// The key in a field's value.
    pub(crate) fn parse(field: &[u8]) -> Option<String> {
        parse(field)
    }
}

fn parse(field: &[u8]) -> Option<String> {
    let field = field.trim_ascii();
    let key = if field.starts_with(b"\"") {
        match Parser::new(field).parse::<Item>().ok()?.bare_item {
            BareItem::String(key) => key.as_str().to_owned(),
            BareItem::Integer(_)
            | BareItem::Decimal(_)
            | BareItem::Token(_)
            | BareItem::ByteSequence(_)
            | BareItem::Boolean(_)
            | BareItem::Date(_)
            | BareItem::DisplayString(_) => return None,
        }
    } else {
        String::from_utf8(field.to_vec()).ok()?
    };
    let is_sound =
        (1..=MAX_CHARS).contains(&key.len()) && key.bytes().all(|c| c.is_ascii_graphic());
    is_sound.then_some(key)
}

fn invalid() -> Problem {
    let detail = format!(
        "Idempotency-Key must be one string of 1 to {MAX_CHARS} visible ASCII characters, such \
         as \"8e03978e-40d5-43dd-bc93-6894a57f9324\"."
    );
    Problem::new(Code::InvalidIdempotencyKey, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_string_with_or_without_its_quotation_marks() {
        for (field, key) in [
            (r#""8e03978e-40d5""#, "8e03978e-40d5"),
            ("8e03978e-40d5", "8e03978e-40d5"),
            (r#" "a\"b\\c" "#, r#"a"b\c"#),
            (r#""k";version=2"#, "k"),
            ("a;b", "a;b"),
        ] {
            assert_eq!(parse(field.as_bytes()).as_deref(), Some(key), "{field}");
        }
        let longest = "x".repeat(MAX_CHARS);
        assert_eq!(parse(format!("\"{longest}\"").as_bytes()), Some(longest));
    }

    #[test]
    fn other_fields_are_no_keys() {
        let long = "x".repeat(MAX_CHARS + 1);
        for field in ["", "\"\"", "\"a", "\"a\", \"b\"", "a b", "\"a b\"", "schlüssel", &long] {
            assert_eq!(parse(field.as_bytes()), None, "{field}");
        }
        assert_eq!(parse(b"\xff"), None);
    }
}
