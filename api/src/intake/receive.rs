//! From a request to a draft, whichever body it brings.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::web::Payload;
use aisle_shared::domain::JobId;
use bytes::Bytes;

use super::body::{bounded, broken, collect};
use super::draft::Draft;
use super::fingerprint::Fingerprint;
use super::kind::{BodyKind, overlong};
use super::{json, multipart};
use crate::context::Context;
use crate::problem::{Code, Problem};

/// How long a request waits for its turn to be read.
const TURN: Duration = Duration::from_secs(5);

/// Reads a request's body of that kind into a draft of that id, its images
/// stored and noted in the fingerprint.
pub(crate) async fn receive<'a>(
    context: &'a Context,
    request: &HttpRequest,
    payload: Payload,
    (kind, id, fingerprint): (BodyKind, JobId, Option<Fingerprint>),
) -> Result<Draft<'a>, Problem> {
    let Ok(Ok(turn)) = tokio::time::timeout(TURN, context.uploads.acquire()).await else {
        let detail = "Too many uploads are being read; try again.";
        return Err(Problem::new(Code::TooBusy, detail).retry_after(TURN));
    };
    let mut draft = Draft::new(context, id, fingerprint, turn);
    match kind {
        BodyKind::Multipart => {
            multipart::read(request.headers(), payload, context.settings(), &mut draft).await?;
        }
        BodyKind::Json => json::read(whole(context, payload, kind).await?, &mut draft).await?,
        BodyKind::Image => draft.add_upload(whole(context, payload, kind).await?).await?,
    }
    Ok(draft)
}

async fn whole(context: &Context, payload: Payload, kind: BodyKind) -> Result<Bytes, Problem> {
    let (limit, code) = kind.limit(context.settings());
    let body = collect(bounded(payload, limit, context.settings().upload_within)).await;
    body.map_err(|error| broken(&error, overlong(limit, code)))
}
