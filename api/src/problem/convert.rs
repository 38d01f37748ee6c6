//! Others' errors as problems.

use std::time::Duration;

use actix_web::http::StatusCode;
use aisle_shared::blob::BlobError;
use aisle_shared::domain::{ErrorCode, ItemError};
use aisle_shared::store::{Cap, StoreError};

use super::{Code, Problem, Scope};

/// When to come back to an intake that is closed: nobody knows.
const CLOSED_RETRY: Duration = Duration::from_secs(30);

/// When to come back to a disk that is full.
const FULL_RETRY: Duration = Duration::from_secs(10);

/// When to come back to storage that does not answer.
const STORAGE_RETRY: Duration = Duration::from_secs(1);

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { ref retry_after, .. } => {
                let after = *retry_after;
                Self::new(Code::StoreUnavailable, "The store does not answer; try again.")
                    .retry_after(after)
                    .caused_by(error)
            }
            StoreError::Full { cap, limit, retry_after, .. } => {
                full(cap, limit).retry_after(retry_after).caused_by(error)
            }
            StoreError::Closed => {
                let detail = "The intake is closed for now; what was taken in goes on.";
                Self::new(Code::IntakeClosed, detail).retry_after(CLOSED_RETRY)
            }
            StoreError::Exhausted { retry_after, .. } => {
                let detail = "Too little room is left to take more in; try again later.";
                Self::new(Code::StoreFull, detail).retry_after(retry_after).caused_by(error)
            }
            StoreError::KeyReused => {
                let detail = "This Idempotency-Key stands for a request with other content; \
                              take a new key for a new request.";
                Self::new(Code::IdempotencyKeyReused, detail)
            }
            StoreError::KeyInProgress => {
                let detail = "The job of this Idempotency-Key is still being written.";
                Self::new(Code::IdempotencyInProgress, detail).retry_after(STORAGE_RETRY)
            }
            StoreError::NotFound => Self::new(Code::JobNotFound, "There is no job of that id."),
            // Nothing but an endpoint is changed so.
            StoreError::Stale => {
                let detail = "Another request changed the endpoint; read it and try again.";
                Self::new(Code::EndpointChanged, detail)
            }
            StoreError::Invalid(_) | StoreError::Corrupt(_) | StoreError::Config(_) => {
                Self::internal(error)
            }
        }
    }
}

fn full(cap: Cap, limit: u64) -> Problem {
    match cap {
        Cap::TenantItems => {
            let detail = format!("{limit} of your images may wait at once; try again later.");
            Problem::new(Code::QueueFull, detail).within(Scope::Tenant)
        }
        Cap::Items => {
            let detail =
                format!("{limit} images of all callers may wait at once; try again later.");
            Problem::new(Code::QueueFull, detail).within(Scope::Service)
        }
        Cap::UploadBytes => {
            let detail = format!("{limit} bytes of images may wait at once; try again later.");
            Problem::new(Code::UploadsFull, detail).within(Scope::Service)
        }
    }
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Self {
        if matches!(error, BlobError::Full(_)) {
            let detail = "Too little room is left for images; try again later.";
            return Self::new(Code::StoreFull, detail).retry_after(FULL_RETRY).caused_by(error);
        }
        Self::new(Code::StoreUnavailable, "The image could not be stored; try again.")
            .retry_after(STORAGE_RETRY)
            .caused_by(error)
    }
}

impl From<ItemError> for Problem {
    fn from(error: ItemError) -> Self {
        let code = match error.code {
            ErrorCode::EmptyImage => Code::EmptyImage,
            ErrorCode::UnsupportedType => Code::UnsupportedType,
            ErrorCode::Truncated => Code::Truncated,
            ErrorCode::Undecodable => Code::Undecodable,
            ErrorCode::TooLarge => Code::TooLarge,
            ErrorCode::TooManyPixels => Code::TooManyPixels,
            ErrorCode::UrlNotAllowed => Code::UrlNotAllowed,
            // What only a worker can find out never refuses a request.
            ErrorCode::DecodeTimeout
            | ErrorCode::DecodeCrashed
            | ErrorCode::UrlUnreachable
            | ErrorCode::UrlRefused
            | ErrorCode::BlobMissing
            | ErrorCode::InferenceFailed
            | ErrorCode::WorkerLost
            | ErrorCode::ModelRemoved
            | ErrorCode::Internal => return Self::internal(error),
        };
        Self::new(code, error.detail)
    }
}

impl Problem {
    /// The problem behind an error of the web framework.
    pub(crate) fn from_actix(error: &actix_web::Error) -> Self {
        error.as_error::<Self>().cloned().unwrap_or_else(|| {
            Self::from_status(error.as_response_error().status_code()).caused_by(error)
        })
    }

    /// The problem behind a bare status.
    pub(crate) fn from_status(status: StatusCode) -> Self {
        let code = match status {
            StatusCode::UNAUTHORIZED => Code::Unauthenticated,
            StatusCode::FORBIDDEN => Code::InsufficientScope,
            StatusCode::NOT_FOUND => Code::RouteNotFound,
            StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
            StatusCode::REQUEST_TIMEOUT => Code::UploadTooSlow,
            StatusCode::PAYLOAD_TOO_LARGE => Code::BodyTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMedia,
            other if other.is_client_error() => Code::InvalidRequest,
            other => return Self::internal(other),
        };
        Self::new(code, code.title())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_store_says_stays_out_of_the_answer() {
        let problem = Problem::from(StoreError::unavailable("redis://:secret@host"));
        assert_eq!(problem.code(), Code::StoreUnavailable);
        assert!(!problem.to_string().contains("secret"));
        assert!(problem.cause().is_some_and(|cause| cause.contains("secret")));
    }

    #[test]
    fn a_change_that_another_overtook_is_a_conflict() {
        let problem = Problem::from(StoreError::Stale);
        assert_eq!(
            (problem.code(), problem.code().status().as_u16()),
            (Code::EndpointChanged, 409)
        );
    }

    #[test]
    fn a_refused_image_keeps_its_code() {
        for code in [ErrorCode::EmptyImage, ErrorCode::TooManyPixels, ErrorCode::UrlNotAllowed] {
            let problem = Problem::from(ItemError::new(code, "x"));
            assert_eq!(problem.code().as_str(), code.as_str());
        }
    }
}
