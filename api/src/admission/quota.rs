//! How often a caller may submit, and the header fields that tell
//! (draft-ietf-httpapi-ratelimit-headers-10).

use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpMessage, HttpRequest};
use aisle_shared::store::{Rate, Taken};
use sfv::{KeyRef, ListSerializer, StringRef};

use crate::context::Context;
use crate::problem::{Code, Problem};

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The only policy's name.
pub(crate) const POLICY: &str = "default";

/// What is left of a caller's quota, kept with the request until its answer
/// is there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quota {
    rate: Rate,
    taken: Taken,
}

/// Takes one submission out of a bucket; 0 a minute stands for no limit.
pub(super) async fn take(
    context: &Context,
    request: &HttpRequest,
    bucket: &str,
    per_minute: u32,
) -> Result<(), Problem> {
    if per_minute == 0 {
        return Ok(());
    }
    let rate = Rate::per_minute(per_minute);
    let taken = context.store().take(&format!("submit:{bucket}"), 1, rate).await?;
    let quota = Quota { rate, taken };
    request.extensions_mut().insert(quota);
    if taken.allowed {
        return Ok(());
    }
    let detail = format!("{per_minute} jobs may be submitted a minute.");
    Err(Problem::new(Code::RateLimited, detail).retry_after(taken.retry_after).violating(POLICY))
}

impl Quota {
    /// Adds the fields that tell of it.
    pub(crate) fn tell(self, headers: &mut HeaderMap) {
        let Self { rate, taken } = self;
        // For the next `t` seconds there are `r` units, and soon more.
        let until = if taken.allowed { taken.reset } else { taken.retry_after };
        let policy = item(&[("q", rate.quota.into()), ("w", seconds(rate.window))]);
        let left = item(&[("r", taken.remaining.into()), ("t", seconds(until))]);
        for (name, value) in [(RATELIMIT_POLICY, policy), (RATELIMIT, left)] {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
                headers.insert(name, value);
            }
        }
    }
}

/// The policy's name with parameters, as a list of structured fields.
fn item(parameters: &[(&str, i64)]) -> Option<String> {
    let mut list = ListSerializer::new();
    let mut item = list.bare_item(StringRef::from_str(POLICY).ok()?);
    for (key, value) in parameters {
        item = item.parameter(KeyRef::from_str(key).ok()?, sfv::Integer::try_from(*value).ok()?);
    }
    list.finish()
}

/// Whole seconds, never fewer than there are.
fn seconds(span: Duration) -> i64 {
    i64::try_from(span.as_millis().div_ceil(1_000)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_tell_the_policy_and_what_is_left() {
        let tell = |allowed, remaining, reset, retry_after| {
            let span = Duration::from_millis;
            let taken =
                Taken { allowed, remaining, reset: span(reset), retry_after: span(retry_after) };
            let mut headers = HeaderMap::new();
            Quota { rate: Rate::per_minute(100), taken }.tell(&mut headers);
            assert_eq!(headers.get("ratelimit-policy").unwrap(), r#""default";q=100;w=60"#);
            headers.get("ratelimit").unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(tell(true, 50, 29_500, 0), r#""default";r=50;t=30"#);
        assert_eq!(tell(false, 0, 60_000, 599), r#""default";r=0;t=1"#);
    }
}
