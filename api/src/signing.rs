//! The secrets that sign webhooks, from a caller's point of view: made here,
//! sealed before they are stored, shown once.

use std::time::Duration;

use aisle_shared::domain::{Endpoint, EndpointId, EndpointSecret, TenantId, Timestamp};
use aisle_shared::store::StoreError;
use aisle_shared::webhook::{Secret, Vault};

use crate::caller::Caller;
use crate::context::Context;
use crate::problem::{Code, Problem};

/// What seals secrets, or why there are no webhooks.
pub(crate) fn vault(context: &Context) -> Result<&Vault, Problem> {
    context.state.vault.as_deref().ok_or_else(|| {
        let detail = "An operator has to set AISLE_SECRET_KEY before webhooks can be signed.";
        Problem::new(Code::WebhooksOff, detail)
    })
}

/// A fresh secret, and the same sealed for that endpoint.
pub(crate) fn new_secret(
    context: &Context,
    tenant: &TenantId,
    endpoint: &EndpointId,
) -> Result<(Secret, EndpointSecret), Problem> {
    let secret = Secret::generate();
    let sealed = vault(context)?.seal(tenant, endpoint, &secret).map_err(Problem::internal)?;
    Ok((secret, EndpointSecret { sealed, expires_at: None }))
}

/// An endpoint's secrets once `new` signs: the one that signed until now goes
/// on beside it for the time of the overlap, older ones do not.
pub(crate) fn rotated(
    secrets: Vec<EndpointSecret>,
    new: EndpointSecret,
    now: Timestamp,
    overlap: Duration,
) -> Vec<EndpointSecret> {
    let until = now.plus(overlap);
    let before = secrets.into_iter().find(|secret| secret.expires_at.is_none());
    let before = before.filter(|_| !overlap.is_zero());
    let before = before.map(|secret| EndpointSecret { expires_at: Some(until), ..secret });
    std::iter::once(new).chain(before).collect()
}

/// The endpoint that signs what jobs' own receivers get.
pub(crate) fn callbacks(tenant: &TenantId, secret: EndpointSecret) -> Endpoint {
    Endpoint {
        id: EndpointId::callbacks(),
        tenant: tenant.clone(),
        url: None,
        events: Vec::new(),
        description: "Signs what is sent to the receivers that jobs name.".to_owned(),
        secrets: vec![secret],
        disabled: None,
        created_at: Timestamp::now(),
        version: 1,
    }
}

/// Sees to it that the caller's jobs can name receivers. A secret that is made
/// here is shown to nobody: who wants to verify asks for one by rotation, and
/// until the overlap ends messages are signed by both.
pub(crate) async fn prepare_callbacks(context: &Context, caller: &Caller) -> Result<(), Problem> {
    vault(context)?;
    let (store, id) = (context.store(), EndpointId::callbacks());
    match store.endpoint(&caller.tenant, &id).await {
        Ok(_) => return Ok(()),
        Err(StoreError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    let (_, secret) = new_secret(context, &caller.tenant, &id)?;
    match store.put_endpoint(&callbacks(&caller.tenant, secret)).await {
        // Stale: another request has made it since.
        Ok(()) | Err(StoreError::Stale) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use aisle_shared::domain::SealedSecret;

    use super::*;

    fn secret(text: &str, expires_at: Option<Timestamp>) -> EndpointSecret {
        EndpointSecret { sealed: SealedSecret(text.to_owned()), expires_at }
    }

    #[test]
    fn the_secret_before_signs_on_until_the_overlap_ends() {
        let (now, overlap) = (Timestamp(1_000), Duration::from_secs(5));
        let once = rotated(vec![secret("a", None)], secret("b", None), now, overlap);
        assert_eq!(once, [secret("b", None), secret("a", Some(Timestamp(6_000)))]);
        let twice = rotated(once, secret("c", None), Timestamp(2_000), overlap);
        assert_eq!(twice, [secret("c", None), secret("b", Some(Timestamp(7_000)))]);
    }

    #[test]
    fn without_an_overlap_only_the_new_secret_signs() {
        let secrets =
            rotated(vec![secret("a", None)], secret("b", None), Timestamp(1), Duration::ZERO);
        assert_eq!(secrets, [secret("b", None)]);
    }
}
