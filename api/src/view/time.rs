//! Points in time as callers read them.

use aisle_shared::domain::Timestamp;

/// RFC 3339 in UTC with milliseconds: `2026-01-31T08:15:30.250Z`.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    let millis = i64::try_from(at.0).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_with_milliseconds() {
        assert_eq!(rfc3339(Timestamp(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(Timestamp(1_767_225_600_120)), "2026-01-01T00:00:00.120Z");
    }
}
