//! Others' errors as problems.

use std::time::Duration;

use actix_web::http::StatusCode;
use aisle_shared::blob::BlobError;
use aisle_shared::domain::{ErrorCode, ItemError};
use aisle_shared::store::StoreError;

use super::{Code, Problem};

/// When to come back to a queue that is full.
const QUEUE_RETRY: Duration = Duration::from_secs(10);

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
            StoreError::Full { limit, .. } => {
                let detail = format!("{limit} images may wait at once; try again later.");
                Self::new(Code::QueueFull, detail).retry_after(QUEUE_RETRY).caused_by(error)
            }
            StoreError::NotFound => Self::new(Code::JobNotFound, "There is no job of that id."),
            StoreError::Stale
            | StoreError::Invalid(_)
            | StoreError::Corrupt(_)
            | StoreError::Config(_) => Self::internal(error),
        }
    }
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Self {
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
    fn a_refused_image_keeps_its_code() {
        for code in [ErrorCode::EmptyImage, ErrorCode::TooManyPixels, ErrorCode::UrlNotAllowed] {
            let problem = Problem::from(ItemError::new(code, "x"));
            assert_eq!(problem.code().as_str(), code.as_str());
        }
    }
}
