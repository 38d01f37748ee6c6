//! The stage that does not do the same work twice: a picture that was answered
//! before, or is being answered at this moment, is not decoded and not run.
//!
//! Failures are not kept: most cost little, and another release, or a less
//! busy machine, may do better. What must never happen: an answer under the
//! key of another picture, tenant or model; an item that waits for one which
//! has failed, while it could be tried itself.

mod answer;
mod flights;
mod keeper;
mod lookups;

use std::sync::Arc;

use aisle_shared::domain::{ItemOutcome, StageTimings};
use aisle_shared::store::{CacheKey, CacheLimits, Store};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio_util::task::TaskTracker;

pub(super) use answer::Answer;
pub(super) use flights::Flight;
use flights::{Boarding, Flights, Wait};
pub(super) use keeper::Keeper;
use lookups::{Found, Lookups};

use super::ending::{Ended, Ending};
use super::fetch::Fetched;
use super::metrics::Metrics;
use crate::loaded::LoadedModel;

/// The answers that are kept; one for all models of a worker.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    flights: Arc<Flights>,
    lookups: Lookups,
    pub(super) keeper: Keeper,
}

impl Cache {
    /// Starts what looks up and what keeps, which end with the last handle.
    pub(super) fn start(store: &Arc<dyn Store>, limits: CacheLimits, tasks: &TaskTracker) -> Self {
        Self {
            flights: Arc::default(),
            lookups: Lookups::start(Arc::clone(store), tasks),
            keeper: Keeper::start(Arc::clone(store), limits, tasks),
        }
    }

    /// Ends an item whose answer is there, or will be without its doing; hands
    /// on one that has to be classified.
    pub(super) async fn look_up(
        &self,
        fetched: Fetched,
        model: &LoadedModel,
        metrics: &Metrics,
    ) -> Result<Fetched, Box<Ended>> {
        if !fetched.work.options.cache {
            return Ok(fetched);
        }
        let Some(picture) = digest(fetched.bytes.clone()).await else { return Ok(fetched) };
        let key = CacheKey::new(&fetched.work.tenant, &picture, model.answer_digest());
        match self.flights.board(key) {
            Boarding::First(flight) => self.ask(flight, fetched, model, metrics).await,
            Boarding::Behind(wait) => share(wait, fetched, model, metrics).await,
        }
    }

    /// The first of its picture asks the store.
    async fn ask(
        &self,
        flight: Flight,
        mut fetched: Fetched,
        model: &LoadedModel,
        metrics: &Metrics,
    ) -> Result<Fetched, Box<Ended>> {
        let (entry, otherwise) = match self.lookups.ask(*flight.key()).await {
            Found::Entry(entry) => (Some(entry), "miss"),
            Found::Nothing => (None, "miss"),
            Found::NoAnswer => (None, "failed"),
        };
        let answer = entry.and_then(|entry| Answer::decode(flight.key(), &entry));
        match answer.filter(|answer| answer.fits(model, fetched.work.options.top_k)) {
            Some(answer) => {
                metrics.looked_up("hit");
                let answer = Arc::new(answer);
                flight.land(&answer);
                Err(answered(fetched, &answer, model))
            }
            None => {
                metrics.looked_up(otherwise);
                fetched.work.flight = Some(flight);
                Ok(fetched)
            }
        }
    }
}

/// The others wait for it. Should it fail, each is classified, none waits for
/// another of them again.
async fn share(
    mut wait: Wait,
    mut fetched: Fetched,
    model: &LoadedModel,
    metrics: &Metrics,
) -> Result<Fetched, Box<Ended>> {
    // The network need not wait for what may never come to it.
    fetched.work.coming = None;
    let landed = tokio::select! {
        landed = wait.landed() => landed,
        () = fetched.work.hold.left() => None,
    };
    let top_k = fetched.work.options.top_k;
    match landed.filter(|answer| answer.fits(model, top_k)) {
        Some(answer) => {
            metrics.looked_up("shared");
            Err(answered(fetched, &answer, model))
        }
        None => {
            metrics.looked_up("miss");
            Ok(fetched)
        }
    }
}

/// How an item ends whose answer was there.
fn answered(fetched: Fetched, answer: &Answer, model: &LoadedModel) -> Box<Ended> {
    let Fetched { work, fetch_ms, .. } = fetched;
    let mut work = match work.still_wanted() {
        Ok(work) => work,
        Err(ended) => return ended,
    };
    work.trace.set("aisle.cached", true);
    let ranking = model.postprocessor().answer(&answer.order, (&work.options).into());
    let timings = StageTimings { fetch_ms, ..StageTimings::default() };
    let mut answer = model.classification(ranking, 0, answer.image.clone(), timings);
    answer.cached = true;
    Ended::new(work, Ending::Outcome(ItemOutcome::Succeeded(Box::new(answer))))
}

/// Bytes that are hashed sooner than another thread could be woken.
const FEW: usize = 64 * 1024;

/// SHA-256 of an image's bytes, which may be many.
async fn digest(bytes: Bytes) -> Option<[u8; 32]> {
    if bytes.len() <= FEW {
        return Some(Sha256::digest(&bytes).into());
    }
    tokio::task::spawn_blocking(move || Sha256::digest(&bytes).into()).await.ok()
}
