//! The stage that claims: as many items as keep the network busy, no more,
//! so that what this worker has not begun is left to others.

use std::sync::Arc;
use std::time::Duration;

use aisle_shared::domain::{ItemSource, ModelName, Timestamp, WorkerId};
use aisle_shared::store::{ClaimRequest, Claimed, MAX_CLAIMED_PER_CALL, Store};
use aisle_shared::telemetry::{Span, SpanKind};
use aisle_shared::vitals::{Hindrance, LaneVitals};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ending::{Ended, Ending};
use super::gate::{Gate, Pass};
use super::held::{Held, Hold};
use super::lane::Lane;
use super::work::{Expected, Work};
use crate::settings::Backoff;

/// Between two looks at a store that has nothing and wakes nobody, or at
/// decoders that cannot be started.
const POLL: Duration = Duration::from_secs(1);

/// Between two looks at a store that does not answer: short, because all
/// that was taken waits for it once the store is back.
const TROUBLE: Backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(1) };

/// Claims one model's items.
pub(super) struct Intake {
    pub(super) lane: Arc<Lane>,
    pub(super) vitals: LaneVitals,
    pub(super) store: Arc<dyn Store>,
    pub(super) worker: WorkerId,
    pub(super) model: ModelName,
    pub(super) lease: Duration,
    pub(super) backoff: Backoff,
    /// Free slots that are worth a claim: a batch.
    pub(super) refill: u32,
    pub(super) held: Arc<Held>,
    pub(super) expected: Expected,
    pub(super) gate: Gate,
    pub(super) tasks: TaskTracker,
    /// Why the network cannot run, if it cannot.
    pub(super) trouble: Hindrance,
    /// When nothing more is to be claimed.
    pub(super) stop: CancellationToken,
}

/// What a step did.
enum Step {
    /// Items were claimed: there may be more.
    Claimed,
    /// There are no more.
    Idle,
    /// The store did not answer.
    Trouble,
    /// The network cannot run now.
    Hindered,
}

impl Intake {
    /// Claims until it is asked to stop.
    pub(super) async fn run(self) {
        let mut failures = 0;
        while !self.stop.is_cancelled() {
            let step = self.step().await;
            failures = match step {
                Step::Trouble => failures + 1,
                Step::Claimed | Step::Idle | Step::Hindered => 0,
            };
            let wait = async {
                match step {
                    Step::Claimed => {}
                    Step::Idle => self.store.wait_for_work(&self.model, POLL).await,
                    Step::Hindered => tokio::time::sleep(POLL).await,
                    Step::Trouble => {
                        tokio::time::sleep(TROUBLE.after(failures, rand::random())).await;
                    }
                }
            };
            tokio::select! { () = wait => {}, () = self.stop.cancelled() => {} }
        }
    }

    /// Waits for room, claims, and sends what was claimed on its way.
    async fn step(&self) -> Step {
        if self.trouble.get().is_some() {
            // What cannot be run here is left to others.
            self.vitals.pauses();
            return Step::Hindered;
        }
        let room = async {
            // What cannot be decoded here is left to others.
            while self.lane.prepare.decoder.trouble().get().is_some() {
                tokio::time::sleep(POLL).await;
            }
            let pass = self.gate.shared().await;
            let slots = Arc::clone(&self.lane.slots);
            let mut free = slots.acquire_many_owned(self.refill).await.ok()?;
            let more = u32::try_from(self.lane.slots.available_permits()).unwrap_or(0);
            if let Ok(more) = Arc::clone(&self.lane.slots).try_acquire_many_owned(more) {
                free.merge(more);
            }
            Some((pass, free))
        };
        self.vitals.full();
        let room = tokio::select! {
            room = room => room,
            () = self.stop.cancelled() => None,
        };
        let Some((pass, mut free)) = room else { return Step::Idle };
        self.vitals.room();
        let request = ClaimRequest {
            worker: self.worker.clone(),
            model: self.model.clone(),
            max: free.num_permits().min(MAX_CLAIMED_PER_CALL),
            lease: self.lease,
            with_content: self.lane.fetch.blobs.goes_with_job(0),
        };
        let claimed = match self.store.claim(&request).await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::warn!(
                    worker = %self.worker, model = %self.model, %error, "nothing can be claimed"
                );
                return Step::Trouble;
            }
        };
        self.vitals.claimed();
        if claimed.is_empty() {
            return Step::Idle;
        }
        let all = claimed.len() < request.max && !claimed.iter().any(|claimed| claimed.solo);
        let mut alone = Vec::new();
        for claimed in claimed {
            self.lane.metrics.claimed(claimed.created_at);
            let hold = self.held.hold(claimed.lease.clone());
            if claimed.solo {
                alone.push((claimed, hold));
            } else {
                self.start(claimed, hold, free.split(1), pass.clone());
            }
        }
        // An item alone waits for all others to end, so nothing may be kept from them.
        drop((pass, free));
        for (claimed, hold) in alone {
            self.start_alone(claimed, hold).await;
        }
        // Of what comes from here on, the store tells.
        if all { Step::Idle } else { Step::Claimed }
    }

    async fn start_alone(&self, claimed: Claimed, hold: Hold) {
        let (item, worker) = (claimed.lease.item, &self.worker);
        tracing::warn!(job = %item.job, %item, %worker, "an item that took a worker down runs alone");
        // Until the others have ended nothing is claimed.
        self.vitals.full();
        let pass = tokio::select! {
            pass = self.gate.alone() => Some(pass),
            () = hold.left() => None,
            () = self.stop.cancelled() => None,
        };
        match pass {
            Some(pass) => {
                let slot = Arc::clone(&self.lane.slots).acquire_owned().await.ok();
                self.start(claimed, hold, slot, pass);
            }
            None => {
                let pass = self.gate.shared().await;
                let work = self.work(claimed, hold, None, pass);
                let ended = match work.still_wanted() {
                    Ok(work) => Ended::new(work, Ending::Release),
                    Err(ended) => ended,
                };
                drop(self.lane.record.send(*ended).await);
            }
        }
    }

    fn start(&self, claimed: Claimed, hold: Hold, slot: Option<OwnedSemaphorePermit>, pass: Pass) {
        let work = self.work(claimed, hold, slot, pass);
        let lane = Arc::clone(&self.lane);
        self.tasks.spawn(async move { lane.travel(work).await });
    }

    fn work(
        &self,
        claimed: Claimed,
        hold: Hold,
        slot: Option<OwnedSemaphorePermit>,
        pass: Pass,
    ) -> Work {
        let trace = self.span_of(&claimed);
        let log = tracing::info_span!(
            "item",
            job = %claimed.lease.item.job,
            item = %claimed.lease.item,
            worker = %self.worker,
            trace_id = trace.trace_id(),
        );
        Work {
            hold,
            tenant: claimed.tenant,
            model: self.model.clone(),
            leaves_bytes: claimed.content.is_none() && claimed.source == ItemSource::Upload,
            source: claimed.source,
            content: claimed.content,
            options: claimed.options,
            attempt: claimed.attempt,
            created_at: claimed.created_at,
            backoff: self.backoff,
            slot,
            coming: Some(self.expected.one()),
            flight: None,
            trace,
            log,
            _pass: pass,
        }
    }

    /// The item's part of its job's trace, below the request that submitted
    /// it. Names and keys are those of OpenTelemetry's messaging conventions.
    fn span_of(&self, claimed: &Claimed) -> Span {
        let name = || format!("process {}", self.model);
        let mut span = Span::start(SpanKind::Consumer, name, claimed.trace.as_ref());
        if span.is_recording() {
            let item = claimed.lease.item;
            let waited = Timestamp::now().since(claimed.created_at);
            span.set("messaging.system", "aisle");
            span.set("messaging.operation.name", "process");
            span.set("messaging.operation.type", "process");
            span.set("messaging.destination.name", self.model.to_string());
            span.set("messaging.message.id", item.to_string());
            span.set("messaging.message.conversation_id", item.job.to_string());
            span.set("messaging.client.id", self.worker.to_string());
            span.set("aisle.attempt", i64::from(claimed.attempt));
            span.set("aisle.queue_seconds", waited.as_secs_f64());
        }
        span
    }
}
