//! The table: code, status, title.

use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

macro_rules! codes {
    ($($variant:ident $word:literal $status:ident $title:literal;)*) => {
        /// What went wrong, for programs. Codes never change their meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Code {
            $(#[doc = $title] $variant,)*
        }

        impl Code {
            /// Every code.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word that stands in JSON.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The HTTP status that it comes with.
            pub(crate) const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// What it means, the same each time.
            pub(crate) const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

codes! {
    InvalidRequest      "invalid_request"        BAD_REQUEST            "The request's body is not as the document says.";
    InvalidQuery        "invalid_query"          BAD_REQUEST            "The query is not as the document says.";
    InvalidCursor       "invalid_cursor"         BAD_REQUEST            "The cursor is none that a list has returned.";
    InvalidIdempotencyKey "invalid_idempotency_key" BAD_REQUEST         "The Idempotency-Key is none.";
    NoImages            "no_images"              BAD_REQUEST            "The job has no image.";
    EmptyImage          "empty_image"            BAD_REQUEST            "The image has no bytes.";
    Unauthenticated     "unauthenticated"        UNAUTHORIZED           "An API key is needed.";
    InvalidApiKey       "invalid_api_key"        UNAUTHORIZED           "The API key does not work.";
    InsufficientScope   "insufficient_scope"     FORBIDDEN              "The API key may not be used for this.";
    CrossSite           "cross_site_request"     FORBIDDEN              "A page of another site asks.";
    HostNotAllowed      "host_not_allowed"       MISDIRECTED_REQUEST    "The service is not called by this name.";
    JobNotFound         "job_not_found"          NOT_FOUND              "There is no such job.";
    ModelNotFound       "model_not_found"        NOT_FOUND              "There is no such model.";
    EndpointNotFound    "endpoint_not_found"     NOT_FOUND              "There is no such webhook endpoint.";
    DeliveryNotFound    "delivery_not_found"     NOT_FOUND              "There is no such webhook delivery.";
    RouteNotFound       "route_not_found"        NOT_FOUND              "There is nothing at this address.";
    MethodNotAllowed    "method_not_allowed"     METHOD_NOT_ALLOWED     "The address does not take this method.";
    UploadTooSlow       "upload_too_slow"        REQUEST_TIMEOUT        "The request's body came too slowly.";
    EndpointChanged     "endpoint_changed"       CONFLICT               "The webhook endpoint was changed by another request.";
    TooManyEndpoints    "too_many_endpoints"     CONFLICT               "There are as many webhook endpoints as there may be.";
    JobAlreadyEnded     "job_already_ended"      CONFLICT               "The job has ended and cannot be canceled.";
    IdempotencyInProgress "idempotency_in_progress" CONFLICT            "The first request with this Idempotency-Key has not ended yet.";
    JobGone             "job_gone"               GONE                   "The job was deleted or outlived its retention.";
    BodyTooLarge        "body_too_large"         PAYLOAD_TOO_LARGE      "The request is larger than allowed.";
    TooLarge            "too_large"              PAYLOAD_TOO_LARGE      "The image has more bytes than allowed.";
    TooManyPixels       "too_many_pixels"        PAYLOAD_TOO_LARGE      "The image has more pixels than allowed.";
    TooManyImages       "too_many_images"        PAYLOAD_TOO_LARGE      "The job has more images than allowed.";
    UnsupportedMedia    "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE "The request's content type is none that is read here.";
    UnsupportedType     "unsupported_type"       UNSUPPORTED_MEDIA_TYPE "The bytes are no image of a type that is read here.";
    Truncated           "truncated"              UNPROCESSABLE_ENTITY   "The image ends too early.";
    Undecodable         "undecodable"            UNPROCESSABLE_ENTITY   "The image cannot be decoded.";
    UrlNotAllowed       "url_not_allowed"        UNPROCESSABLE_ENTITY   "The URL may not be fetched.";
    UnknownModel        "unknown_model"          UNPROCESSABLE_ENTITY   "No worker has announced this model.";
    InvalidTopK         "invalid_top_k"          UNPROCESSABLE_ENTITY   "The model does not have that many labels, or none were asked for.";
    PrecisionNotOffered "precision_not_offered"  UNPROCESSABLE_ENTITY   "The model has no thresholds for this precision.";
    TooManyWrongKeys    "too_many_wrong_keys"    TOO_MANY_REQUESTS      "Too many wrong API keys came from this address.";
    IdempotencyKeyReused "idempotency_key_reused" UNPROCESSABLE_ENTITY  "The Idempotency-Key was used for another request.";
    RateLimited         "rate_limited"           TOO_MANY_REQUESTS      "More requests came than may come.";
    QueueFull           "queue_full"             TOO_MANY_REQUESTS      "As many images wait as may wait.";
    Internal            "internal"               INTERNAL_SERVER_ERROR  "Something failed on our side.";
    WebhooksOff         "webhooks_not_configured" NOT_IMPLEMENTED       "The service has no key to keep webhook secrets with.";
    StoreUnavailable    "store_unavailable"      SERVICE_UNAVAILABLE    "The store does not answer.";
    UploadsFull         "uploads_full"           SERVICE_UNAVAILABLE    "As many bytes of images wait as may wait.";
    StoreFull           "store_full"             SERVICE_UNAVAILABLE    "Too little memory or disk is left to take more in.";
    IntakeClosed        "intake_closed"          SERVICE_UNAVAILABLE    "An operator has closed the intake.";
    TooBusy             "too_busy"               SERVICE_UNAVAILABLE    "As many uploads are being read as may be read.";
    NoModel             "no_model"               SERVICE_UNAVAILABLE    "No model has been announced yet.";
    NotAlive            "not_alive"              SERVICE_UNAVAILABLE    "The process has to be started anew.";
    NotReady            "not_ready"              SERVICE_UNAVAILABLE    "The service is not ready.";
}

impl Code {
    /// Whether it refuses a job that would be taken in at another time.
    pub(crate) const fn is_refusal(self) -> bool {
        matches!(
            self,
            Self::RateLimited
                | Self::QueueFull
                | Self::UploadsFull
                | Self::StoreFull
                | Self::IntakeClosed
                | Self::TooBusy
        )
    }

    /// The problem's type as a URI: the registered one of IANA's HTTP problem
    /// types where there is one.
    pub(crate) fn type_uri(self) -> String {
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity".to_owned()
        } else if self == Self::RateLimited {
            "https://iana.org/assignments/http-problem-types#quota-exceeded".to_owned()
        } else {
            format!("urn:problem-type:aisle:{}", self.as_str())
        }
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::String))
            .description(Some("What went wrong, for programs."))
            .enum_values(Some(Self::ALL.iter().map(|code| code.as_str())))
            .into()
    }
}

impl ToSchema for Code {
    fn name() -> std::borrow::Cow<'static, str> {
        "ProblemCode".into()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_has_a_word_of_its_own_and_an_error_status() {
        let words: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error());
            assert!(code.title().ends_with('.'), "{}", code.as_str());
        }
    }

    #[test]
    fn no_capacity_is_the_registered_problem_type() {
        assert!(Code::TooBusy.type_uri().ends_with("#temporary-reduced-capacity"));
        assert_eq!(Code::JobGone.type_uri(), "urn:problem-type:aisle:job_gone");
    }
}
