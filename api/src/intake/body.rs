//! A request's bytes, bounded in number and in patience.

use std::io::ErrorKind;
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, LocalBoxStream};
use futures::{Stream, StreamExt, TryStreamExt};
use tokio::time::{Instant, timeout};

use crate::problem::{Code, Problem};

/// How long a sender may send nothing.
const IDLE: Duration = Duration::from_secs(10);

/// How long a sender may take before its average pace is looked at.
const HEAD_START: Duration = Duration::from_secs(10);

/// Bytes a second, on average, that a sender must reach after that.
const MIN_PACE: u64 = 10_000;

/// The bytes that arrive, as an error once they are more than `limit` or come
/// too slowly, all of them `within` a time.
pub(crate) fn bounded(
    payload: Payload,
    limit: u64,
    within: Duration,
) -> LocalBoxStream<'static, Result<Bytes, PayloadError>> {
    let begun = (payload, Pace { started: Instant::now(), received: 0 });
    stream::try_unfold(begun, move |(mut payload, mut pace)| async move {
        let left = within.saturating_sub(pace.started.elapsed());
        let Ok(next) = timeout(IDLE.min(left), payload.next()).await else {
            return Err(too_slow());
        };
        let Some(chunk) = next.transpose()? else { return Ok(None) };
        pace.received += chunk.len() as u64;
        if pace.received > limit {
            return Err(PayloadError::Overflow);
        }
        if pace.is_too_slow(Instant::now()) {
            return Err(too_slow());
        }
        Ok(Some((chunk, (payload, pace))))
    })
    .boxed_local()
}

/// All bytes of a stream in one piece.
pub(crate) async fn collect<E>(
    mut chunks: impl Stream<Item = Result<Bytes, E>> + Unpin,
) -> Result<Bytes, E> {
    let mut whole = BytesMut::new();
    while let Some(chunk) = chunks.try_next().await? {
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

/// How fast a body came so far.
struct Pace {
    started: Instant,
    received: u64,
}

impl Pace {
    fn is_too_slow(&self, now: Instant) -> bool {
        let counted = now.duration_since(self.started).saturating_sub(HEAD_START);
        self.received < counted.as_secs().saturating_mul(MIN_PACE)
    }
}

fn too_slow() -> PayloadError {
    PayloadError::Io(ErrorKind::TimedOut.into())
}

/// The problem behind a body that broke off; `overlong` is the one of a body
/// past its limit.
pub(crate) fn broken(error: &PayloadError, overlong: Problem) -> Problem {
    if matches!(error, PayloadError::Overflow) {
        overlong
    } else if matches!(error, PayloadError::Io(error) if error.kind() == ErrorKind::TimedOut) {
        let detail = format!("Send at least {MIN_PACE} bytes a second, and all of them in time.");
        Problem::new(Code::UploadTooSlow, detail)
    } else {
        Problem::new(Code::InvalidRequest, "The body broke off.").caused_by(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_below_the_pace_is_too_slow_after_its_head_start() {
        let started = Instant::now();
        let pace = |received| Pace { started, received };
        assert!(!pace(0).is_too_slow(started + HEAD_START));
        assert!(pace(19_999).is_too_slow(started + HEAD_START + Duration::from_secs(2)));
        assert!(!pace(20_000).is_too_slow(started + HEAD_START + Duration::from_secs(2)));
    }
}
