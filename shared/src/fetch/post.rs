//! Posting to a receiver under the policy: the same guard as for fetching, no
//! redirect followed, and of the answer little more than its status.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use reqwest::header::{ACCEPT, HeaderValue, RETRY_AFTER};
use tokio::time::timeout;

use super::client::check_peer;
use super::{Fetcher, Target, failure};
use crate::domain::ErrorCode;

/// How long a receiver may take over an answer's body, once its status is
/// known. The body says nothing; it is read so that the receiver sees an
/// orderly end.
const BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// A receiver's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Its status, whatever it is.
    pub status: u16,
    /// Its `Retry-After`, if that is text.
    pub retry_after: Option<String>,
}

/// Why no receiver answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// The URL, or the address behind its name, breaks the policy.
    #[error("the URL is not allowed")]
    NotAllowed,
    /// The receiver's certificate is not valid.
    #[error("the receiver's certificate is not valid")]
    BadCertificate,
    /// No answer came in time.
    #[error("the receiver did not answer in time")]
    TimedOut,
    /// No connection could be made, or it broke.
    #[error("the receiver was not reached")]
    Unreachable,
}

impl Fetcher {
    /// Posts a body, and returns as soon as the answer's status is known and
    /// its body has ended, has passed the policy's `max_bytes` or takes too
    /// long. The answer's head must come within the policy's `total_timeout`.
    ///
    /// # Errors
    /// When there was no answer.
    pub async fn post(
        &self,
        target: &Target,
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> Result<Posted, PostError> {
        let target = target.under(self.policy()).map_err(|_| PostError::NotAllowed)?;
        let request = headers
            .iter()
            .fold(self.client.post(target.url().clone()), |request, (name, value)| {
                request.header(*name, *value)
            })
            .header(ACCEPT, "*/*")
            .body(body);
        let response = timeout(self.policy().total_timeout, request.send())
            .await
            .map_err(|_| PostError::TimedOut)?
            .map_err(|error| of_request(&error))?;
        check_peer(response.remote_addr(), self.policy()).map_err(|_| PostError::NotAllowed)?;
        let retry_after = response.headers().get(RETRY_AFTER).map(HeaderValue::to_str);
        let posted = Posted {
            status: response.status().as_u16(),
            retry_after: retry_after.and_then(Result::ok).map(str::to_owned),
        };
        // Dropped unfinished, the connection closes. The status stands either way.
        let _ = timeout(BODY_TIMEOUT, skip(response, self.policy().max_bytes)).await;
        Ok(posted)
    }
}

async fn skip(mut response: Response, most: u64) {
    let mut left = most;
    while let Ok(Some(chunk)) = response.chunk().await {
        match left.checked_sub(chunk.len() as u64) {
            Some(less) => left = less,
            None => return,
        }
    }
}

fn of_request(error: &reqwest::Error) -> PostError {
    let said = failure::of_request(error);
    if said.error.code == ErrorCode::UrlNotAllowed {
        PostError::NotAllowed
    } else if !said.transient {
        PostError::BadCertificate
    } else if error.is_timeout() {
        PostError::TimedOut
    } else {
        PostError::Unreachable
    }
}
