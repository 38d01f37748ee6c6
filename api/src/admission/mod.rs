//! Whether a request may bring a job, decided before its body is read: rate,
//! announced size, then whether the store and the disk take more in. What the
//! store decides when it writes the job stays the truth.

mod pressure;
mod quota;

use actix_web::HttpRequest;

use crate::caller::Caller;
use crate::context::Context;
use crate::intake::BodyKind;
use crate::problem::Problem;

pub(crate) use pressure::Pressure;
pub(crate) use quota::Quota;

/// Lets a request in whose body has not been read, or says why not.
pub(crate) async fn admit(
    context: &Context,
    caller: &Caller,
    request: &HttpRequest,
) -> Result<BodyKind, Problem> {
    let (bucket, per_minute) = caller.quota(context.settings().rate_per_minute);
    quota::take(context, request, bucket, per_minute).await?;
    let kind = BodyKind::announced(request, context.settings())?;
    context.pressure.check(context, &caller.tenant).await?;
    Ok(kind)
}
