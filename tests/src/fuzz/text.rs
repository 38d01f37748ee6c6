//! The small grammars of query strings and headers.

use std::time::{Duration, UNIX_EPOCH};

use aisle_api::fuzzing;
use aisle_shared::domain::TraceParent;
use aisle_shared::webhook;

/// A cursor that is taken is one that was given: it is written as it was read.
///
/// # Panics
/// When it is not.
pub fn cursor(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Some(written) = fuzzing::cursor(text) {
        assert_eq!(fuzzing::cursor(&written), Some(written.clone()));
        assert_eq!(written, text);
    }
}

/// A `Prefer` header that is not understood is ignored, and understood the
/// same when an unknown preference stands before it.
///
/// # Panics
/// When it is not.
pub fn prefer(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let read = fuzzing::prefer(text);
    assert_eq!(fuzzing::prefer(&format!("x=\"a, b\", {text}")), read, "{text:?}");
    let lower = text.to_ascii_lowercase();
    assert!(!read.0 || lower.contains("respond-async"), "{text:?}");
    assert!(read.1.is_none() || lower.contains("wait"), "{text:?}");
}

/// A query is refused as one or for the URL in it, or taken.
///
/// # Panics
/// When it is refused as something else.
pub fn query(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Err(refusal) = fuzzing::query(text) {
        let known = [(400, "invalid_query"), (422, "url_not_allowed")];
        assert!(known.contains(&refusal), "{text:?}: {refusal:?}");
    }
}

/// An `Idempotency-Key` that is taken is short and visible, and means the same
/// in quotation marks.
///
/// # Panics
/// When it is not or does not.
pub fn idempotency_key(bytes: &[u8]) {
    let Some(key) = fuzzing::idempotency_key(bytes) else { return };
    assert!((1..=255).contains(&key.len()), "{key:?}");
    assert!(key.bytes().all(|byte| byte.is_ascii_graphic()), "{key:?}");
    let quoted = format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""));
    assert_eq!(fuzzing::idempotency_key(quoted.as_bytes()), Some(key));
}

/// A `Retry-After` in digits is that many seconds, and a date that is past is
/// no wait.
///
/// # Panics
/// When it is not.
pub fn retry_after(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let now = UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    let wait = webhook::retry_after(text, now);
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        assert_eq!(wait, text.parse().ok().map(Duration::from_secs), "{text}");
    } else if let Some(wait) = wait.filter(|wait| !wait.is_zero())
        && text.contains(':')
    {
        let earlier = webhook::retry_after(text, now - Duration::from_secs(60));
        assert_eq!(earlier, Some(wait + Duration::from_secs(60)), "{text}");
    }
}

/// A `traceparent` is taken if it is one by the letter of the standard.
///
/// # Panics
/// When another is taken, or one is not.
pub fn trace_parent(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    assert_eq!(text.parse::<TraceParent>().is_ok(), is_trace_parent(bytes), "{text:?}");
}

/// W3C Trace Context, section 3.2, version 00, place by place.
fn is_trace_parent(bytes: &[u8]) -> bool {
    let [b'0', b'0', b'-', rest @ ..] = bytes else { return false };
    if rest.len() != 32 + 1 + 16 + 1 + 2 {
        return false;
    }
    let is_in_place = |(place, byte): (usize, &u8)| match place {
        32 | 49 => *byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    let zero = |from: usize, to: usize| rest[from..to].iter().all(|byte| *byte == b'0');
    rest.iter().enumerate().all(is_in_place) && !zero(0, 32) && !zero(33, 49)
}
