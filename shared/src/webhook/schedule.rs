//! When a delivery that failed is tried again.

use std::time::{Duration, SystemTime};

use rand::Rng;

const SECOND: u64 = 1;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// What passes before each attempt: the schedule that the specification gives,
/// a little over three days in all.
pub const SCHEDULE: [Duration; 10] = [
    Duration::ZERO,
    Duration::from_secs(5 * SECOND),
    Duration::from_secs(5 * MINUTE),
    Duration::from_secs(30 * MINUTE),
    Duration::from_secs(2 * HOUR),
    Duration::from_secs(5 * HOUR),
    Duration::from_secs(10 * HOUR),
    Duration::from_secs(14 * HOUR),
    Duration::from_secs(20 * HOUR),
    Duration::from_secs(24 * HOUR),
];

/// The longest wait that a receiver may ask for.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(HOUR);

/// How much earlier or later than scheduled an attempt may be, so that
/// deliveries which failed together do not come together again.
const JITTER: f64 = 0.2;

/// How long to wait after the attempt of that number (from 1) failed; `None`
/// when it was the last. A receiver may ask for more time, but not for less.
pub(super) fn pause(attempt: u32, asked: Option<Duration>) -> Option<Duration> {
    let planned = SCHEDULE.get(usize::try_from(attempt).ok()?)?;
    let spread = rand::rng().random_range(1.0 - JITTER..=1.0 + JITTER);
    let asked = asked.unwrap_or_default().min(LONGEST_RETRY_AFTER);
    Some(planned.mul_f64(spread).max(asked))
}

/// A `Retry-After` field, which is seconds or a date (RFC 9110, section
/// 10.2.3), as a duration from `now`.
#[must_use]
pub fn retry_after(field: &str, now: SystemTime) -> Option<Duration> {
    let field = field.trim();
    if let Ok(seconds) = field.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(field).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const AN_HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn the_schedule_is_the_specifications_and_spans_three_days() {
        let total: Duration = SCHEDULE.iter().sum();
        assert_eq!(total, 75 * AN_HOUR + Duration::from_secs(35 * 60 + 5));
    }

    #[test]
    fn each_pause_is_within_a_fifth_of_its_plan() {
        for (attempt, planned) in (1..).zip(&SCHEDULE[1..]) {
            for _ in 0..100 {
                let pause = pause(attempt, None).unwrap();
                assert!(pause >= planned.mul_f64(0.799) && pause <= planned.mul_f64(1.201));
            }
        }
        let pauses: Vec<_> = (0..20).map(|_| pause(3, None)).collect();
        assert!(pauses.iter().any(|pause| *pause != pauses[0]), "no jitter");
    }

    #[test]
    fn the_tenth_attempt_is_the_last() {
        assert!(pause(9, None).is_some());
        assert_eq!(pause(10, None), None);
        assert_eq!(pause(10, Some(AN_HOUR)), None);
        assert_eq!(pause(u32::MAX, None), None);
    }

    #[test]
    fn a_receiver_may_ask_for_more_time_up_to_an_hour_but_not_for_less() {
        let asked = |seconds| pause(1, Some(Duration::from_secs(seconds))).unwrap();
        assert_eq!(asked(60), Duration::from_secs(60));
        assert_eq!(asked(86_400), AN_HOUR);
        assert!(asked(1) >= Duration::from_secs(4));
        assert!(pause(4, Some(Duration::ZERO)).unwrap() > AN_HOUR);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (field, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("Sunday, 06-Nov-94 08:50:07 GMT", Some(30)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(retry_after(field, now), seconds.map(Duration::from_secs), "{field}");
        }
    }
}
