//! The pipelines that run, one for each model: begun, replaced and ended while
//! the worker works.
//!
//! What must never happen: a moment in which nobody claims a model's items because
//! its pipeline is replaced; an item that is claimed and then belongs to none.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use aisle_shared::domain::{ModelCard, ModelName, WorkerId};
use aisle_shared::store::Store;
use aisle_shared::vitals::{Hindrance, LaneVitals, Vitals};
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cache::Cache;
use super::ending::Ended;
use super::fetch::Fetch;
use super::gate::Gate;
use super::held::Held;
use super::intake::Intake;
use super::lane::Lane;
use super::metrics::Metrics;
use super::network::NetworkThread;
use super::postprocess;
use super::prepare::Prepare;
use super::ready::Ready;
use super::work::Expected;
use crate::error::WorkerError;
use crate::loaded::LoadedModel;
use crate::loader::Served;
use crate::settings::WorkerSettings;

/// What the pipelines of all models share.
pub(super) struct Shared {
    pub(super) settings: WorkerSettings,
    pub(super) worker: WorkerId,
    pub(super) vitals: Vitals,
    pub(super) store: Arc<dyn Store>,
    pub(super) held: Arc<Held>,
    pub(super) gate: Gate,
    pub(super) fetch: Fetch,
    pub(super) cache: Option<Cache>,
    pub(super) prepare: Prepare,
    pub(super) record: mpsc::Sender<Ended>,
    /// Those who claim.
    pub(super) intakes: TaskTracker,
    pub(super) tasks: TaskTracker,
    pub(super) shutdown: CancellationToken,
}

/// The pipelines that run.
pub(super) struct Lanes {
    pub(super) shared: Shared,
    running: BTreeMap<ModelName, Running>,
    /// The networks' threads, of pipelines that were replaced too.
    threads: Vec<JoinHandle<()>>,
}

/// A pipeline that claims.
struct Running {
    model: LoadedModel,
    /// Why its folder's content is not served.
    trouble: Option<String>,
    metrics: Metrics,
    vitals: LaneVitals,
    /// Ends its claiming.
    retired: CancellationToken,
}

impl Lanes {
    pub(super) const fn new(shared: Shared) -> Self {
        Self { shared, running: BTreeMap::new(), threads: Vec::new() }
    }

    /// The models as they are announced.
    pub(super) fn cards(&self) -> Vec<ModelCard> {
        let card = |lane: &Running| ModelCard {
            trouble: lane.trouble.clone(),
            ..lane.model.card().clone()
        };
        self.running.values().map(card).collect()
    }

    /// The version of a model's folder that is served.
    pub(super) fn served(&self, model: &ModelName) -> Option<&LoadedModel> {
        self.running.get(model).map(|lane| &lane.model)
    }

    /// Notes why what a model's folder holds is not served, or that it is.
    pub(super) fn trouble(&mut self, model: &ModelName, trouble: Option<String>) {
        if let Some(lane) = self.running.get_mut(model) {
            lane.trouble = trouble;
        }
    }

    /// Begins a model's pipeline. One that there is already claims no more from
    /// then on, ends what it has, and goes.
    ///
    /// # Errors
    /// When the network cannot have a thread.
    pub(super) fn start(&mut self, served: Served) -> Result<(), WorkerError> {
        self.threads.retain(|thread| !thread.is_finished());
        let name = served.model.card().name.clone();
        if let Some(before) = self.running.get(&name) {
            before.metrics.no_longer_served(before.model.card());
        }
        let running = self.begin(served)?;
        if let Some(before) = self.running.insert(name, running) {
            before.retire();
        }
        Ok(())
    }

    /// Ends a model's pipeline: it claims no more, and ends what it has.
    pub(super) fn withdraw(&mut self, model: &ModelName) {
        if let Some(lane) = self.running.remove(model) {
            lane.metrics.no_longer_served(lane.model.card());
            lane.retire();
        }
    }

    fn begin(&mut self, served: Served) -> Result<Running, WorkerError> {
        let Served { model, network } = served;
        let Shared { settings, vitals, .. } = &self.shared;
        let name = model.card().name.clone();
        let vitals = vitals.lane(name.clone());
        let metrics = Metrics::new(model.card());
        let expected = Expected::default();
        let trouble = Hindrance::default();
        let retired = self.shared.shutdown.child_token();
        // A batch must fit into the slots, or the intake would wait for ever.
        let slots = settings.claim_ahead.max(settings.max_batch).get();
        let replicas = model.plan().replicas();
        let (to_network, ready) = Ready::new(replicas, expected.clone(), settings.batch_wait);
        let (answered, answers) = mpsc::channel(slots);
        let thread = NetworkThread {
            network: Arc::new(network),
            plan: Arc::new(model.plan().clone()),
            ready,
            answered,
            record: self.shared.record.clone(),
            metrics: metrics.clone(),
            vitals: vitals.clone(),
            trouble: trouble.clone(),
        };
        let stop = &self.shared.shutdown;
        for _ in 0..replicas {
            let (replica, taker) = (thread.clone(), thread.ready.taker());
            let run = || replica.run_replica(taker);
            self.threads.push(spawn(&name, stop.clone(), retired.clone(), run)?);
        }
        let taker = thread.ready.taker();
        let run = || thread.run_first(taker);
        self.threads.push(spawn(&name, stop.clone(), retired.clone(), run)?);
        let cache = self.shared.cache.clone();
        self.shared.tasks.spawn(postprocess::run(
            model.clone(),
            answers,
            cache.as_ref().map(|cache| cache.keeper.clone()),
            self.shared.record.clone(),
            metrics.clone(),
        ));
        let lane = Lane {
            model: model.clone(),
            slots: Arc::new(Semaphore::new(slots)),
            fetch: self.shared.fetch.clone(),
            cache,
            prepare: self.shared.prepare.clone(),
            to_network: Arc::new(to_network),
            record: self.shared.record.clone(),
            metrics: metrics.clone(),
        };
        let intake = Intake {
            lane: Arc::new(lane),
            vitals: vitals.clone(),
            store: Arc::clone(&self.shared.store),
            worker: self.shared.worker.clone(),
            model: name,
            lease: settings.lease,
            backoff: settings.backoff,
            refill: u32::try_from(settings.max_batch.get()).unwrap_or(u32::MAX),
            held: Arc::clone(&self.shared.held),
            expected,
            gate: self.shared.gate.clone(),
            tasks: self.shared.tasks.clone(),
            trouble,
            stop: retired.clone(),
        };
        self.shared.intakes.spawn(intake.run());
        Ok(Running { model, trouble: None, metrics, vitals, retired })
    }

    /// Waits for every stage, first to last, after the worker was told to stop.
    ///
    /// # Errors
    /// When a network's thread has panicked.
    pub(super) async fn finish(self) -> Result<(), WorkerError> {
        let Self { shared, running, threads } = self;
        drop(running);
        shared.intakes.wait().await;
        shared.tasks.close();
        shared.tasks.wait().await;
        drop(shared);
        let joined = tokio::task::spawn_blocking(move || {
            threads.into_iter().all(|thread| thread.join().is_ok())
        });
        if joined.await.is_ok_and(|all| all) {
            Ok(())
        } else {
            Err(WorkerError::Stopped("a network's thread panicked".to_owned()))
        }
    }
}

/// Starts a thread of a network. One that ends before it was asked to takes the
/// worker along.
fn spawn(
    name: &ModelName,
    stop: CancellationToken,
    asked: CancellationToken,
    run: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, WorkerError> {
    let stop = stop.drop_guard();
    let thread = std::thread::Builder::new().name(format!("network-{name}")).spawn(move || {
        run();
        if asked.is_cancelled() {
            drop(stop.disarm());
        }
    });
    thread.map_err(|error| WorkerError::Stopped(format!("no thread for {name}: {error}")))
}

impl Running {
    fn retire(&self) {
        self.vitals.retire();
        self.retired.cancel();
    }
}
