//! The `Prefer` header (RFC 7240): how long a caller is willing to wait.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::HeaderName;
use actix_web::{FromRequest, HttpRequest};

/// The request header.
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The response header that says which preference was honoured.
pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// What a caller prefers, as far as it means something here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Prefer {
    /// Answer at once.
    pub(crate) respond_async: bool,
    /// Seconds that the caller is willing to wait, as asked.
    pub(crate) wait: Option<u64>,
}

impl Prefer {
    /// Reads the header's values. Preferences that are unknown, and values
    /// that break the grammar, are ignored as the RFC has it.
    pub(crate) fn parse<'a>(values: impl Iterator<Item = &'a str>) -> Self {
        let mut prefer = Self::default();
        let mut seen_wait = false;
        for (name, value) in values.filter_map(preferences).flatten() {
            if name.eq_ignore_ascii_case("respond-async") {
                prefer.respond_async = true;
            } else if name.eq_ignore_ascii_case("wait") && !seen_wait {
                // Of a preference that is repeated, the first one counts.
                seen_wait = true;
                prefer.wait = value.and_then(|value| value.parse().ok());
            }
        }
        prefer
    }

    /// How long to wait, in whole seconds from 1 to `max`; `None` to answer
    /// at once.
    pub(crate) fn wait(self, max: Duration) -> Option<Duration> {
        let most = max.as_secs().max(1);
        self.wait.map(|seconds| Duration::from_secs(seconds.clamp(1, most)))
    }

    /// What `Preference-Applied` says of an answer; `in_time` tells whether a
    /// wait brought what the caller waited for.
    pub(crate) fn applied(self, max: Duration, in_time: bool) -> Option<String> {
        match self.wait(max) {
            Some(wait) => in_time.then(|| format!("wait={}", wait.as_secs())),
            None => self.respond_async.then(|| "respond-async".to_owned()),
        }
    }
}

impl FromRequest for Prefer {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let values = request.headers().get_all(PREFER).filter_map(|value| value.to_str().ok());
        ready(Ok(Self::parse(values)))
    }
}

type Preference = (String, Option<String>);

/// `1#preference`: each preference's name and value; `None` when the text is
/// no such list.
fn preferences(text: &str) -> Option<Vec<Preference>> {
    let mut rest = Scanner(text);
    let mut found = Vec::new();
    loop {
        rest.skip_space();
        if !rest.at(',') && !rest.is_empty() {
            found.push(rest.pair()?);
            rest.skip_space();
            while rest.take(';') {
                rest.skip_space();
                if !rest.at(';') && !rest.at(',') && !rest.is_empty() {
                    rest.pair()?;
                }
                rest.skip_space();
            }
        }
        if rest.is_empty() {
            return Some(found);
        }
        if !rest.take(',') {
            return None;
        }
    }
}

/// The text that is still to be read.
struct Scanner<'a>(&'a str);

impl Scanner<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn at(&self, wanted: char) -> bool {
        self.0.starts_with(wanted)
    }

    fn take(&mut self, wanted: char) -> bool {
        match self.0.strip_prefix(wanted) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn skip_space(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    /// `token [ BWS "=" BWS word ]`
    fn pair(&mut self) -> Option<Preference> {
        let name = self.token()?;
        self.skip_space();
        if !self.take('=') {
            return Some((name, None));
        }
        self.skip_space();
        let value = if self.take('"') { self.quoted()? } else { self.token()? };
        Some((name, Some(value).filter(|value| !value.is_empty())))
    }

    fn token(&mut self) -> Option<String> {
        let end = self.0.find(|c: char| !is_token(c)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        (!token.is_empty()).then(|| token.to_owned())
    }

    /// The rest of a quoted string whose opening quote is read.
    fn quoted(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut chars = self.0.chars();
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => text.push(chars.next()?),
                other => text.push(other),
            }
        }
        self.0 = chars.as_str();
        Some(text)
    }
}

/// `tchar` of RFC 9110.
fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(values: &[&str]) -> Prefer {
        Prefer::parse(values.iter().copied())
    }

    fn wait(seconds: u64) -> Prefer {
        Prefer { respond_async: false, wait: Some(seconds) }
    }

    #[test]
    fn a_wait_is_read_in_every_way_that_the_grammar_allows() {
        for text in ["wait=10", "WAIT=10", "wait = 10", "wait=\"10\"", "wait=\"1\\0\"", "wait=10;x"]
        {
            assert_eq!(parse(&[text]), wait(10), "{text}");
        }
    }

    #[test]
    fn preferences_come_as_a_list_or_as_several_headers() {
        let both = Prefer { respond_async: true, wait: Some(10) };
        assert_eq!(parse(&["respond-async, wait=10"]), both);
        assert_eq!(parse(&["respond-async", "wait=10"]), both);
        assert_eq!(parse(&[",, respond-async ,wait=10,"]), both);
    }

    #[test]
    fn unknown_preferences_and_parameters_are_ignored() {
        let text = "return=minimal; foo=\"a, wait=3; b\", handling=lenient, wait=7";
        assert_eq!(parse(&[text]), wait(7));
    }

    #[test]
    fn the_first_of_two_waits_counts() {
        assert_eq!(parse(&["wait=3, wait=9"]), wait(3));
    }

    #[test]
    fn what_breaks_the_grammar_is_ignored() {
        for text in
            ["", "wait", "wait=", "wait=-1", "wait=1.5", "wait=10 20", "\"wait=1\"", "wait=\"1"]
        {
            assert_eq!(parse(&[text]), Prefer::default(), "{text}");
        }
    }

    #[test]
    fn a_wait_is_held_between_one_second_and_the_limit() {
        let max = Duration::from_secs(60);
        assert_eq!(wait(0).wait(max), Some(Duration::from_secs(1)));
        assert_eq!(wait(10).wait(max), Some(Duration::from_secs(10)));
        assert_eq!(wait(u64::MAX).wait(max), Some(max));
        assert_eq!(Prefer::default().wait(max), None);
    }

    #[test]
    fn the_preference_that_was_honoured_is_named_as_it_was_applied() {
        let max = Duration::from_secs(60);
        let both = Prefer { respond_async: true, wait: Some(90) };
        assert_eq!(both.applied(max, true).as_deref(), Some("wait=60"));
        assert_eq!(both.applied(max, false), None);
        let at_once = Prefer { respond_async: true, wait: None };
        assert_eq!(at_once.applied(max, false).as_deref(), Some("respond-async"));
        assert_eq!(Prefer::default().applied(max, true), None);
    }
}
