//! Where a request stands in a distributed trace, carried beside its job.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A position in a trace, as the `traceparent` header writes it (W3C Trace
/// Context, level 1, version 00): `00-<trace id>-<parent id>-<flags>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceParent(String);

/// Why a text is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a traceparent must be 00-<32 hex digits>-<16 hex digits>-<2 hex digits>, no id all zero")]
pub struct TraceParentError;

impl TraceParent {
    /// The header's value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The trace's id: 32 hex digits.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        self.part(1)
    }

    /// The id of the span that comes before: 16 hex digits.
    #[must_use]
    pub fn parent_id(&self) -> &str {
        self.part(2)
    }

    /// The flags; the lowest bit says that the trace is recorded.
    #[must_use]
    pub fn flags(&self) -> u8 {
        u8::from_str_radix(self.part(3), 16).unwrap_or_default()
    }

    fn part(&self, place: usize) -> &str {
        // Nothing is a traceparent that has not all parts.
        self.0.split('-').nth(place).unwrap_or_default()
    }
}

impl FromStr for TraceParent {
    type Err = TraceParentError;

    fn from_str(text: &str) -> Result<Self, TraceParentError> {
        let hex = |part: &str, length: usize| {
            part.len() == length
                && part.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
        };
        let some = |part: &str| part.bytes().any(|byte| byte != b'0');
        let mut parts = text.split('-');
        match (parts.next(), parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("00"), Some(trace), Some(parent), Some(flags), None)
                if hex(trace, 32)
                    && some(trace)
                    && hex(parent, 16)
                    && some(parent)
                    && hex(flags, 2) =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(TraceParentError),
        }
    }
}

impl TryFrom<String> for TraceParent {
    type Error = TraceParentError;

    fn try_from(text: String) -> Result<Self, TraceParentError> {
        text.parse()
    }
}

impl From<TraceParent> for String {
    fn from(parent: TraceParent) -> Self {
        parent.0
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_survives_text_and_back() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let parent: TraceParent = text.parse().unwrap();
        assert_eq!(parent.as_str(), text);
        assert_eq!(parent.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!((parent.parent_id(), parent.flags()), ("00f067aa0ba902b7", 1));
    }

    #[test]
    fn what_is_no_traceparent_is_refused() {
        for bad in [
            "",
            "00",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            assert_eq!(bad.parse::<TraceParent>(), Err(TraceParentError), "{bad:?}");
        }
    }
}
