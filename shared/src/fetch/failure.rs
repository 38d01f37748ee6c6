//! What to say of a fetch that failed, and whether to try again. Sentences
//! are fixed: an error of the network stack may name internal addresses.

use std::error::Error;
use std::io;

use reqwest::StatusCode;

use super::client::FetchError;
use super::resolver::ResolveError;
use crate::domain::{ErrorCode, ItemError};

/// The URL, or where it leads, breaks the policy.
pub(super) fn not_allowed(detail: impl Into<String>) -> FetchError {
    permanent(ErrorCode::UrlNotAllowed, detail)
}

/// The host answered, but not with what was asked for.
pub(super) fn refused(detail: impl Into<String>) -> FetchError {
    permanent(ErrorCode::UrlRefused, detail)
}

/// The body passes its limit.
pub(super) fn too_large(max_bytes: u64) -> FetchError {
    permanent(ErrorCode::TooLarge, format!("the URL's body has more than {max_bytes} bytes"))
}

/// The host was not reached, or went silent.
pub(super) fn unreachable(detail: impl Into<String>) -> FetchError {
    let error = ItemError::new(ErrorCode::UrlUnreachable, detail);
    FetchError { error, transient: true }
}

/// The host answered with a status other than 200.
pub(super) fn of_status(status: StatusCode) -> FetchError {
    let error = ItemError::new(
        ErrorCode::UrlRefused,
        format!("the URL's host answered with status {}", status.as_u16()),
    );
    let transient = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
    FetchError { error, transient }
}

/// No answer came at all.
pub(super) fn of_request(error: &reqwest::Error) -> FetchError {
    if let Some(resolving) = cause::<ResolveError>(error) {
        return match resolving {
            ResolveError::NoAnswer => unreachable("the URL's host name could not be resolved"),
            ResolveError::NotAllowed => not_allowed("the URL's host has no public address"),
        };
    }
    if matches!(cause(error), Some(rustls::Error::InvalidCertificate(_))) {
        return permanent(
            ErrorCode::UrlUnreachable,
            "the certificate of the URL's host is not valid",
        );
    }
    if error.is_timeout() {
        unreachable("the URL's host could not be reached in time")
    } else if error.is_connect() {
        unreachable("no connection to the URL's host could be made")
    } else {
        unreachable("the connection to the URL's host broke before it answered")
    }
}

fn permanent(code: ErrorCode, detail: impl Into<String>) -> FetchError {
    FetchError { error: ItemError::new(code, detail), transient: false }
}

/// The first cause of type `T`. An `io::Error` hides what it wraps from
/// `source`, so it is opened by hand.
fn cause<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    let mut next = Some(error);
    while let Some(link) = next {
        if let Some(found) = link.downcast_ref() {
            return Some(found);
        }
        next = match link.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => link.source(),
        };
    }
    None
}
