//! The middleware that lets a request through or not, before anything of its
//! body is read.

use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage as _};
use aisle_shared::domain::Scope;

use super::presented::presented;
use super::{Access, Needs, site};
use crate::caller::Caller;
use crate::context::Context;
use crate::problem::{Code, Problem};

/// Finds out who calls and leaves it with the request as a [`Caller`]; answers
/// with a problem those who may not do what they ask.
pub(crate) async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match caller(&request).await {
        Ok(Some(caller)) => {
            request.extensions_mut().insert(caller);
        }
        Ok(None) => {}
        Err(problem) => return Ok(request.error_response(problem)),
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// Who calls; `None` where that does not matter.
async fn caller(request: &ServiceRequest) -> Result<Option<Caller>, Problem> {
    let here = (request.app_data::<Data<Context>>(), request.app_data::<Data<Needs>>());
    let (Some(context), Some(needs)) = here else {
        return Err(Problem::internal("the guard was not told what to guard"));
    };
    // As the router will see it, escapes resolved.
    let path = request.match_info().as_str();
    let Some(scope) = needs.scope(request.method(), path) else { return Ok(None) };
    match context.settings().access {
        Access::Open => {
            site::check(request, &context.settings().allowed_hosts)?;
            Ok(Some(Caller::anyone()))
        }
        Access::Keys => with_key(request, context, scope).await.map(Some),
    }
}

async fn with_key(
    request: &ServiceRequest,
    context: &Context,
    scope: Scope,
) -> Result<Caller, Problem> {
    let Some(text) = presented(request.headers()) else { return Err(Problem::unauthenticated()) };
    let peer = request.peer_addr().map(|peer| peer.ip());
    let key = context.keyring.open(&context.state.store, text, peer).await?;
    if !key.scopes.allow(scope) {
        let scope = scope.as_str();
        return Err(Problem::new(
            Code::InsufficientScope,
            format!("The API key {} lacks the scope {scope}.", key.id),
        )
        .challenging(&format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"")));
    }
    Ok(Caller::with_key(Arc::clone(&key)))
}

/// Lets anyone in who has come this far.
pub(crate) async fn let_in(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    request.extensions_mut().insert(Caller::anyone());
    Ok(next.call(request).await?.map_into_boxed_body())
}
