//! One item's way from its claim to the network.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;
use tokio::sync::mpsc::Sender;
use tracing::Instrument;

use super::cache::Cache;
use super::ending::{Ended, Ending};
use super::fetch::{Fetch, Fetched};
use super::metrics::Metrics;
use super::prepare::{Prepare, Prepared};
use super::ready::Arrivals;
use super::work::Work;
use crate::loaded::LoadedModel;

/// The stages of one model up to its network.
pub(super) struct Lane {
    pub(super) model: LoadedModel,
    pub(super) slots: Arc<Semaphore>,
    pub(super) fetch: Fetch,
    /// The answers that are kept, if any are.
    pub(super) cache: Option<Cache>,
    pub(super) prepare: Prepare,
    pub(super) to_network: Arc<Arrivals<Prepared>>,
    pub(super) record: Sender<Ended>,
    pub(super) metrics: Metrics,
}

impl Lane {
    /// Brings an item to the network, or to its end.
    pub(super) async fn travel(&self, work: Work) {
        let log = work.log.clone();
        let travel = async {
            if let Err(ended) = self.to_the_network(work).await
                && self.record.send(*ended).await.is_err()
            {
                tracing::error!("the recorder is gone");
            }
        };
        travel.instrument(log).await;
    }

    async fn to_the_network(&self, work: Work) -> Result<(), Box<Ended>> {
        let start = Instant::now();
        let fetched = self.fetch.run(work, &self.slots).await?;
        fetched.work.trace.stage("fetch", start, Instant::now());
        self.metrics.fetched(std::time::Duration::from_secs_f32(fetched.fetch_ms / 1000.0));
        let fetched = self.look_up(fetched).await?;
        let start = Instant::now();
        let to_network = Arc::clone(&self.to_network);
        let hand_over = move |mut prepared: Prepared| {
            prepared.work.trace.stage("prepare", start, Instant::now());
            // No longer on its way but there: the network must not wait for it.
            prepared.work.coming = None;
            let unsent = |prepared: Box<Prepared>| Ended::new(prepared.work, Ending::Release);
            to_network.send(prepared).map_err(unsent)
        };
        self.prepare.run(fetched, &self.model, &self.metrics, hand_over).await
    }

    async fn look_up(&self, fetched: Fetched) -> Result<Fetched, Box<Ended>> {
        let Some(cache) = &self.cache else { return Ok(fetched) };
        let start = Instant::now();
        let looked_up = cache.look_up(fetched, &self.model, &self.metrics).await;
        let work = match &looked_up {
            Ok(fetched) => &fetched.work,
            Err(ended) => &ended.work,
        };
        work.trace.stage("cache", start, Instant::now());
        looked_up
    }
}
