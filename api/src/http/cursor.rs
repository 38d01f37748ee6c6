//! A place in a list as an opaque text.

use std::fmt;
use std::str::FromStr;

use aisle_shared::domain::{JobId, Timestamp};
use aisle_shared::store::ListPosition;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::problem::{Code, FieldError, Problem};

/// Where the next page starts: base64url of `<milliseconds>.<job id>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor(pub(crate) ListPosition);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ListPosition { created_at, id } = self.0;
        f.write_str(&URL_SAFE_NO_PAD.encode(format!("{}.{id}", created_at.0)))
    }
}

impl FromStr for Cursor {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        // A number or an id may be spelt in several ways, and only one was returned.
        let returned = |cursor: &Self| cursor.to_string() == text;
        position(text).map(Self).filter(returned).ok_or_else(|| {
            let detail = "use a next_cursor as it was returned";
            Problem::new(Code::InvalidCursor, "The cursor is none that a list has returned.")
                .with_errors(vec![FieldError::of_parameter("cursor", detail)])
        })
    }
}

fn position(text: &str) -> Option<ListPosition> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (created_at, id) = text.split_once('.')?;
    // SQL integers and Lua numbers end before u64 does.
    let created_at = created_at.parse().ok().filter(|millis| *millis < 1 << 53)?;
    Some(ListPosition { created_at: Timestamp(created_at), id: id.parse::<JobId>().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_text_and_back() {
        let position =
            ListPosition { created_at: Timestamp(1_767_225_600_123), id: JobId::generate() };
        let text = Cursor(position).to_string();
        assert_eq!(text.parse::<Cursor>().unwrap(), Cursor(position));
        assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'));
    }

    #[test]
    fn any_other_text_is_refused() {
        let spelt = |text: &str| URL_SAFE_NO_PAD.encode(text);
        for text in [
            "",
            "x",
            "MTIz",
            "%00",
            "MS4x",
            &spelt("1767225600123.0192F7A4-6B1E-7C1A-9C59-1F3C9C2B7D10"),
            &spelt("01767225600123.0192f7a4-6b1e-7c1a-9c59-1f3c9c2b7d10"),
            &spelt("1767225600123.{0192f7a4-6b1e-7c1a-9c59-1f3c9c2b7d10}"),
        ] {
            assert_eq!(text.parse::<Cursor>().unwrap_err().code(), Code::InvalidCursor, "{text}");
        }
    }
}
