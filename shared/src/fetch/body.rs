//! Reading a body: counted while it streams, and never at a crawl.

use bytes::{Bytes, BytesMut};
use reqwest::Response;
use tokio::time::{Instant, timeout_at};

use super::client::FetchError;
use super::{FetchPolicy, failure};

/// The whole body of an answer. Dropping the answer early closes its
/// connection, so a body that is too large is not read to its end.
pub(super) async fn read(
    mut response: Response,
    policy: &FetchPolicy,
) -> Result<Bytes, FetchError> {
    let too_large = || failure::too_large(policy.max_bytes);
    let announced = response.content_length().unwrap_or(0);
    if announced > policy.max_bytes {
        return Err(too_large());
    }
    let mut body = BytesMut::with_capacity(usize::try_from(announced).unwrap_or(0));
    let mut window_end = Instant::now() + policy.rate_window;
    let mut window_bytes = 0_u64;
    loop {
        match timeout_at(window_end, response.chunk()).await {
            Ok(Ok(Some(chunk))) => {
                let bytes = body.len().saturating_add(chunk.len()) as u64;
                if bytes > policy.max_bytes {
                    return Err(too_large());
                }
                body.extend_from_slice(&chunk);
                window_bytes += chunk.len() as u64;
            }
            Ok(Ok(None)) => return Ok(body.freeze()),
            Ok(Err(_)) => {
                return Err(failure::unreachable(
                    "the connection to the URL's host broke before the body's end",
                ));
            }
            Err(_) if window_bytes < policy.min_bytes_per_window => {
                return Err(failure::unreachable("the URL's host sends too slowly"));
            }
            Err(_) => {
                window_end += policy.rate_window;
                window_bytes = 0;
            }
        }
    }
}
