//! Submitting a job of any size.

use super::{
    Enqueued, MAX_CONTENT_BYTES, MAX_ITEMS_PER_CALL, MAX_ITEMS_PER_JOB, Store, StoreError,
};
use crate::domain::{Idempotency, ItemSource, NewItem, NewJob};

/// Whether the id of a job with a caller's key is one that leads to the place
/// of the key's first job. Both stores ask, that none takes what the other
/// would not.
pub(super) fn check_route(job: &NewJob) -> Result<(), StoreError> {
    match &job.idempotency {
        Some(Idempotency { key, .. }) if !job.id.is_for_key(&job.tenant, key) => {
            Err(StoreError::Invalid("the id of a job with a key must be made for that key"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether items bring no more bytes than one call takes, and those that they
/// speak of. Both stores ask.
pub(super) fn check_content(items: &[NewItem]) -> Result<(), StoreError> {
    let mut carried = 0;
    for NewItem { source, bytes, content } in items {
        let Some(content) = content else { continue };
        if *source != ItemSource::Upload || content.len() as u64 != *bytes {
            return Err(StoreError::Invalid("an item brings other bytes than its upload has"));
        }
        carried += content.len();
    }
    if carried > MAX_CONTENT_BYTES {
        return Err(StoreError::Invalid("the items of a call bring more than a mebibyte"));
    }
    Ok(())
}

/// Writes a job with all its items: in one step when it is small, opened,
/// filled and sealed when it is large. Either way no reader and no worker
/// sees it before it is whole. The items of a large job bring no bytes.
///
/// # Errors
/// Those of [`Store::enqueue`], [`Store::open`], [`Store::append`] and
/// [`Store::seal`]; [`StoreError::Invalid`] for a job of no or too many items.
pub async fn submit(
    store: &dyn Store,
    job: &NewJob,
    items: &[NewItem],
) -> Result<Enqueued, StoreError> {
    if items.len() <= MAX_ITEMS_PER_CALL {
        return store.enqueue(job, items).await;
    }
    let total = u32::try_from(items.len()).unwrap_or(u32::MAX);
    if total > MAX_ITEMS_PER_JOB {
        return Err(StoreError::Invalid("a job has at most 10,000 items"));
    }
    let enqueued = store.open(job, total).await?;
    if matches!(enqueued, Enqueued::Repeated(_)) {
        return Ok(enqueued);
    }
    let mut first = 0;
    for chunk in items.chunks(MAX_ITEMS_PER_CALL) {
        let appended = store.append(&job.id, first, chunk).await;
        if enqueued == Enqueued::Replayed
            && matches!(appended, Err(StoreError::NotFound))
            && store.existing(&[job.id]).await?.contains(&job.id)
        {
            // Sealed the first time: it is whole.
            return Ok(enqueued);
        }
        appended?;
        first += u32::try_from(chunk.len()).unwrap_or(u32::MAX);
    }
    store.seal(&job.id).await?;
    Ok(enqueued)
}
