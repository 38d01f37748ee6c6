//! What a receiver's answer means.

use std::time::{Duration, SystemTime};

use super::schedule;
use crate::fetch::{PostError, Posted};
use crate::store::Verdict;

/// What one attempt came to, before it is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The receiver's status, if it answered.
    pub(super) status: Option<u16>,
    /// A stable word for what went wrong.
    pub(super) error: Option<&'static str>,
    /// What follows.
    pub(super) verdict: Verdict,
}

impl Outcome {
    /// Nothing was sent, for this reason, and nothing ever will be.
    pub(super) const fn given_up(error: &'static str) -> Self {
        Self { status: None, error: Some(error), verdict: Verdict::GivenUp }
    }

    /// What the attempt of that number (from 1) came to.
    pub(super) fn of(posted: &Result<Posted, PostError>, attempt: u32, now: SystemTime) -> Self {
        match posted {
            Ok(Posted { status, .. }) if (200..300).contains(status) => {
                Self { status: Some(*status), error: None, verdict: Verdict::Delivered }
            }
            Ok(Posted { status: 410, .. }) => {
                Self { status: Some(410), error: Some("gone"), verdict: Verdict::EndpointGone }
            }
            Ok(Posted { status, retry_after }) => {
                let error = if (300..400).contains(status) { "redirected" } else { "refused" };
                let asked = retry_after.as_deref().filter(|_| may_ask_for_time(*status));
                let asked = asked.and_then(|field| schedule::retry_after(field, now));
                let verdict = again(attempt, asked);
                Self { status: Some(*status), error: Some(error), verdict }
            }
            Err(error) => {
                Self { status: None, error: Some(word(*error)), verdict: again(attempt, None) }
            }
        }
    }

    /// The attempt's result as metrics and logs name it.
    pub(super) const fn result(&self) -> &'static str {
        match self.verdict {
            Verdict::Delivered => "delivered",
            Verdict::Retry(_) => "retry",
            Verdict::GivenUp => "given_up",
            Verdict::EndpointGone => "gone",
        }
    }
}

/// Statuses of a receiver, or of what stands before it, that has too much to
/// do for now.
const fn may_ask_for_time(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}

fn again(attempt: u32, asked: Option<Duration>) -> Verdict {
    schedule::pause(attempt, asked).map_or(Verdict::GivenUp, Verdict::Retry)
}

const fn word(error: PostError) -> &'static str {
    match error {
        PostError::NotAllowed => "url_not_allowed",
        PostError::BadCertificate => "bad_certificate",
        PostError::TimedOut => "timed_out",
        PostError::Unreachable => "unreachable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, retry_after: Option<&str>, attempt: u32) -> Outcome {
        let posted = Posted { status, retry_after: retry_after.map(str::to_owned) };
        Outcome::of(&Ok(posted), attempt, SystemTime::now())
    }

    #[test]
    fn only_2xx_is_success() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(answered(status, None, 1).verdict, Verdict::Delivered, "{status}");
        }
        for (status, error) in
            [(301, "redirected"), (308, "redirected"), (400, "refused"), (500, "refused")]
        {
            let outcome = answered(status, None, 1);
            assert!(matches!(outcome.verdict, Verdict::Retry(_)), "{status}");
            assert_eq!((outcome.status, outcome.error), (Some(status), Some(error)));
        }
    }

    #[test]
    fn gone_is_for_good() {
        assert_eq!(answered(410, Some("60"), 1).verdict, Verdict::EndpointGone);
    }

    #[test]
    fn only_a_receiver_with_too_much_to_do_may_ask_for_time() {
        let minute = Verdict::Retry(Duration::from_secs(60));
        for status in [429, 502, 503, 504] {
            assert_eq!(answered(status, Some("60"), 1).verdict, minute, "{status}");
        }
        assert_ne!(answered(500, Some("60"), 1).verdict, minute);
    }

    #[test]
    fn the_last_attempt_is_followed_by_none() {
        assert_eq!(answered(503, Some("60"), 10).verdict, Verdict::GivenUp);
        let outcome = Outcome::of(&Err(PostError::TimedOut), 10, SystemTime::now());
        assert_eq!((outcome.verdict, outcome.error), (Verdict::GivenUp, Some("timed_out")));
    }
}
