//! A small JSON document as a whole body.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use serde::de::DeserializeOwned;

use super::body::{bounded, broken, collect};
use super::json::parse;
use super::kind::{BodyKind, admit, overlong};
use crate::problem::{Code, Problem};

/// How long such a body may take to come.
const WITHIN: Duration = Duration::from_secs(10);

/// Bytes of such a body at most, and the code of a longer one.
const LIMIT: (u64, Code) = (32 * 1024, Code::BodyTooLarge);

/// The body as a `T`; no body at all is as good as `null`.
#[derive(Debug)]
pub(crate) struct Document<T>(pub(crate) T);

impl<T: DeserializeOwned + 'static> FromRequest for Document<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) =
            (request.clone(), web::Payload::from_request(&request.clone(), payload));
        async move {
            admit(&request, LIMIT)?;
            let payload = payload.into_inner().map_err(|error| Problem::from_actix(&error))?;
            let body = collect(bounded(payload, LIMIT.0, WITHIN)).await;
            let body = body.map_err(|error| broken(&error, overlong(LIMIT.0, LIMIT.1)))?;
            if body.is_empty() {
                return parse(b"null").map(Self);
            }
            match BodyKind::of(&request)? {
                BodyKind::Json => parse(&body).map(Self),
                BodyKind::Multipart | BodyKind::Image => {
                    let detail = "The content type must be application/json.";
                    Err(Problem::new(Code::UnsupportedMedia, detail))
                }
            }
        }
        .boxed_local()
    }
}
