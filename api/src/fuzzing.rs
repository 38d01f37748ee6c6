//! Doors for the fuzz targets: the parsers that read a caller's bytes, as
//! requests reach them, with nothing but plain values in and out. No part of
//! the API; whoever serves has no use for it.

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::test::TestRequest;
use actix_web::{FromRequest, web};
use aisle_shared::domain::JobId;
use aisle_shared::fetch::FetchPolicy;
use bytes::Bytes;
use futures::{StreamExt, stream};

use crate::context::Context;
use crate::http::{Cursor, IdempotencyKey, Params, Prefer};
use crate::intake::{self, BodyKind, SubmitQuery};
use crate::problem::Problem;

/// Why a request was refused: the status and the problem's code.
pub type Refusal = (u16, &'static str);

/// Reads a job's body, which arrives in these chunks; the number of images in
/// it. The images are stored, and their removal is under way on return.
///
/// # Errors
/// With the refusal that a caller would get.
pub async fn body(
    context: &Context,
    content_type: &str,
    chunks: Vec<Bytes>,
) -> Result<usize, Refusal> {
    let arriving = stream::iter(chunks.into_iter().map(Ok::<_, PayloadError>)).boxed_local();
    let request = TestRequest::post().insert_header((CONTENT_TYPE, content_type));
    let request = request.to_http_request();
    let mut payload = Payload::from(arriving);
    let read = async {
        let payload = web::Payload::from_request(&request, &mut payload).await;
        let payload = payload.map_err(|error| Problem::from_actix(&error))?;
        let kind = BodyKind::announced(&request, context.settings())?;
        let id = JobId::generate();
        let mut draft = intake::receive(context, &request, payload, (kind, id, None)).await?;
        draft.settle().await?;
        Ok(draft)
    };
    read.await.map(|draft| draft.len()).map_err(|problem| refusal(&problem))
}

/// Reads a cursor and writes it again.
#[must_use]
pub fn cursor(text: &str) -> Option<String> {
    text.parse::<Cursor>().ok().map(|cursor| cursor.to_string())
}

/// Reads the options in a query.
///
/// # Errors
/// With the refusal that a caller would get.
pub fn query(text: &str) -> Result<(), Refusal> {
    let Params(query) = Params::<SubmitQuery>::parse(text).map_err(|e| refusal(&e))?;
    query.into_options(&FetchPolicy::default()).map(|_| ()).map_err(|e| refusal(&e))
}

/// Reads a `Prefer` header: whether to answer at once, and the seconds to wait.
#[must_use]
pub fn prefer(value: &str) -> (bool, Option<u64>) {
    let Prefer { respond_async, wait } = Prefer::parse(std::iter::once(value));
    (respond_async, wait)
}

/// The key in an `Idempotency-Key` header.
#[must_use]
pub fn idempotency_key(field: &[u8]) -> Option<String> {
    IdempotencyKey::parse(field)
}

fn refusal(problem: &Problem) -> Refusal {
    let code = problem.code();
    (code.status().as_u16(), code.as_str())
}
