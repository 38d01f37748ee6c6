//! Which of the three bodies a request brings.

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use actix_web::{HttpMessage, HttpRequest};

use crate::problem::{Code, Problem};
use crate::settings::ApiSettings;

/// A body that can hold a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// A form with files and fields.
    Multipart,
    /// A JSON document.
    Json,
    /// One image's bytes.
    Image,
}

impl BodyKind {
    /// The kind that the request's headers announce, unless they announce
    /// more bytes than it may have.
    pub(crate) fn announced(
        request: &HttpRequest,
        settings: &ApiSettings,
    ) -> Result<Self, Problem> {
        let kind = Self::of(request)?;
        admit(request, kind.limit(settings))?;
        Ok(kind)
    }

    /// The kind of body that the request's headers announce.
    pub(super) fn of(request: &HttpRequest) -> Result<Self, Problem> {
        if request.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
            let detail = "Send the body as it is: content codings are not read here.";
            return Err(Problem::new(Code::UnsupportedMedia, detail));
        }
        Self::named(&request.content_type().to_ascii_lowercase())
    }

    fn named(media_type: &str) -> Result<Self, Problem> {
        match media_type {
            "multipart/form-data" => Ok(Self::Multipart),
            "application/json" => Ok(Self::Json),
            "application/octet-stream" => Ok(Self::Image),
            image if image.starts_with("image/") => Ok(Self::Image),
            other => {
                let got = if other.is_empty() { "none" } else { other };
                let detail = format!(
                    "The content type is {got:?}; use multipart/form-data, application/json or \
                     an image's own type."
                );
                Err(Problem::new(Code::UnsupportedMedia, detail))
            }
        }
    }

    /// Bytes of such a body at most, and the code of a longer one.
    pub(crate) fn limit(self, settings: &ApiSettings) -> (u64, Code) {
        match self {
            Self::Multipart => (settings.max_upload_bytes, Code::BodyTooLarge),
            Self::Json => (settings.max_json_bytes, Code::BodyTooLarge),
            Self::Image => (settings.image_limits.max_bytes, Code::TooLarge),
        }
    }
}

/// Refuses a body that says it is too long, before any of it is read.
pub(super) fn admit(request: &HttpRequest, (limit, code): (u64, Code)) -> Result<(), Problem> {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    match announced.and_then(|value| value.parse::<u64>().ok()) {
        Some(length) if length > limit => Err(overlong(limit, code)),
        Some(_) | None => Ok(()),
    }
}

/// The problem of a body past its limit.
pub(crate) fn overlong(limit: u64, code: Code) -> Problem {
    Problem::new(code, format!("The body has more than {limit} bytes."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn of(headers: &[(&str, &str)]) -> Result<BodyKind, Code> {
        let request = headers
            .iter()
            .fold(TestRequest::post(), |request, header| request.insert_header(*header));
        BodyKind::of(&request.to_http_request()).map_err(|problem| problem.code())
    }

    #[test]
    fn a_body_is_known_by_its_content_type() {
        assert_eq!(
            of(&[("content-type", "multipart/form-data; boundary=x")]),
            Ok(BodyKind::Multipart)
        );
        assert_eq!(of(&[("content-type", "Application/JSON; charset=utf-8")]), Ok(BodyKind::Json));
        assert_eq!(of(&[("content-type", "image/jpeg")]), Ok(BodyKind::Image));
        assert_eq!(of(&[("content-type", "application/octet-stream")]), Ok(BodyKind::Image));
    }

    #[test]
    fn other_content_types_and_codings_are_refused() {
        assert_eq!(of(&[]), Err(Code::UnsupportedMedia));
        assert_eq!(of(&[("content-type", "text/plain")]), Err(Code::UnsupportedMedia));
        let gzipped = [("content-type", "image/png"), ("content-encoding", "gzip")];
        assert_eq!(of(&gzipped), Err(Code::UnsupportedMedia));
    }

    #[test]
    fn a_body_that_says_it_is_too_long_is_refused_unread() {
        let request = TestRequest::post().insert_header(("content-length", "11")).to_http_request();
        let problem = admit(&request, (10, Code::TooLarge)).unwrap_err();
        assert_eq!(problem.code(), Code::TooLarge);
        assert!(admit(&request, (11, Code::TooLarge)).is_ok());
    }
}
