//! A worker: loads its models, runs their pipelines, and stops in good order.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use aisle_shared::blob::BlobStore;
use aisle_shared::domain::{ModelCard, Timestamp, WorkerCard, WorkerId};
use aisle_shared::fetch::Fetcher;
use aisle_shared::store::Store;
use aisle_shared::vitals::{LaneVitals, Patience, Vitals};
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::announce;
use super::cache::Cache;
use super::ending::Ended;
use super::fetch::Fetch;
use super::gate::Gate;
use super::heartbeat::Heartbeat;
use super::held::Held;
use super::hosts::Downloads;
use super::intake::Intake;
use super::lane::Lane;
use super::metrics::Metrics;
use super::network::NetworkThread;
use super::postprocess;
use super::prepare::Prepare;
use super::record::Recorder;
use super::work::Expected;
use crate::decoder::Decoder;
use crate::error::WorkerError;
use crate::loaded::LoadedModel;
use crate::model::Catalog;
use crate::network::Network;
use crate::proof::prove;
use crate::runtime::environment;
use crate::settings::WorkerSettings;
use crate::tune::Planner;

/// Endings that wait for the recorder at most.
const RECORD_QUEUE: usize = 256;

/// A worker whose models are loaded and warm.
#[derive(Debug)]
pub struct Worker {
    settings: WorkerSettings,
    card: WorkerCard,
    models: Vec<(LoadedModel, Network)>,
    vitals: Vitals,
    decoder: Arc<Decoder>,
}

/// What the pipelines of all models share.
struct Shared {
    store: Arc<dyn Store>,
    held: Arc<Held>,
    gate: Gate,
    fetch: Fetch,
    cache: Option<Cache>,
    prepare: Prepare,
    record: mpsc::Sender<Ended>,
    /// Those who claim.
    intakes: TaskTracker,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl Worker {
    /// Starts the decoders, loads every model, runs each batch size once and
    /// classifies a picture.
    /// Takes seconds and blocks.
    ///
    /// # Errors
    /// When ONNX Runtime cannot be used, when images cannot be decoded, when
    /// there is no model, or when any model cannot be used: a worker does not start with less than it was
    /// given.
    pub fn load(settings: WorkerSettings) -> Result<Self, WorkerError> {
        let catalog = Catalog::open(&settings.models)?;
        if !catalog.broken.is_empty() {
            return Err(WorkerError::Broken(catalog.broken));
        }
        if catalog.models.is_empty() {
            return Err(WorkerError::NoModels(settings.models));
        }
        let environment = environment(&settings.ort_lib)?;
        let limits = settings.image_limits.clone();
        let decoder = Decoder::start(&settings.decoder, limits, settings.threads)?;
        let planner = Planner {
            environment: &environment,
            library: &settings.ort_lib,
            choice: settings.provider,
            tuning: &settings.tuning,
            threads: settings.threads,
            max_batch: settings.max_batch,
        };
        let mut models = Vec::with_capacity(catalog.models.len());
        for folder in catalog.models {
            let (model, mut network) = planner.load(folder)?;
            prove(&model, &mut network, &decoder)?;
            models.push((model, network));
        }
        let cards: Vec<ModelCard> = models.iter().map(|(model, _)| model.card().clone()).collect();
        let card = WorkerCard {
            id: WorkerId::generate(),
            pid: std::process::id(),
            started_at: Timestamp::now(),
            models: cards,
        };
        let patience = Patience { claim: settings.liveness, work: settings.item_deadline };
        let vitals = Vitals::new(patience, decoder.trouble());
        Ok(Self { settings, card, models, vitals, decoder: Arc::new(decoder) })
    }

    /// The worker's signs of life, for health checks.
    #[must_use]
    pub fn vitals(&self) -> Vitals {
        self.vitals.clone()
    }

    /// What the worker announces.
    #[must_use]
    pub const fn card(&self) -> &WorkerCard {
        &self.card
    }

    /// Works until `shutdown`: then claims nothing more, hands back what it
    /// has not begun, ends what it has within the grace time, hands back the
    /// rest.
    ///
    /// # Errors
    /// [`WorkerError::Stopped`] when a part of it ended by itself.
    pub async fn run(
        self,
        store: Arc<dyn Store>,
        blobs: Arc<dyn BlobStore>,
        fetcher: Arc<Fetcher>,
        shutdown: CancellationToken,
    ) -> Result<(), WorkerError> {
        let Self { settings, card, models, vitals, decoder } = self;
        let models: Vec<_> = models
            .into_iter()
            .map(|(model, network)| {
                let lane = vitals.lane(model.card().name.clone());
                (model, network, lane)
            })
            .collect();
        // Nothing is claimed by one of whom the API does not know.
        if !announce::first(&*store, &card, &shutdown).await {
            return Ok(());
        }
        vitals.announced();
        let held = Arc::new(Held::default());
        let over = CancellationToken::new();
        // Should this future be dropped, its tasks stop too.
        let _over = over.clone().drop_guard();
        let upkeep = TaskTracker::new();
        upkeep.spawn(announce::run(
            Arc::clone(&store),
            card.clone(),
            Arc::clone(&decoder),
            over.clone(),
        ));
        let heartbeat = Heartbeat {
            worker: card.id.clone(),
            store: Arc::clone(&store),
            held: Arc::clone(&held),
            lease: settings.lease,
            item_deadline: settings.item_deadline,
        };
        upkeep.spawn(heartbeat.run(over.clone()));
        let (record, ended) = mpsc::channel(RECORD_QUEUE);
        let recorder = Recorder {
            store: Arc::clone(&store),
            blobs: Arc::clone(&blobs),
            give_up: over.clone(),
            removals: TaskTracker::new(),
        };
        let recorder = tokio::spawn(recorder.run(ended));

        // A pipeline that ends by itself takes the others along in good order.
        let stop = shutdown.child_token();
        let _stop = stop.clone().drop_guard();
        let keeping = TaskTracker::new();
        let shared = Shared {
            store: Arc::clone(&store),
            held: Arc::clone(&held),
            gate: Gate::default(),
            fetch: Fetch {
                blobs,
                fetcher,
                remote: Arc::new(Semaphore::new(settings.max_remote.get())),
                downloads: Arc::new(Downloads::new(
                    settings.max_downloads.get(),
                    settings.max_downloads_per_host.get(),
                )),
                shutdown: stop.clone(),
            },
            cache: settings.cache.map(|limits| Cache::start(&store, limits, &keeping)),
            prepare: Prepare {
                processors: Arc::new(Semaphore::new(settings.threads.get())),
                decoder,
                shutdown: stop.clone(),
            },
            record,
            intakes: TaskTracker::new(),
            tasks: TaskTracker::new(),
            shutdown: stop.clone(),
        };
        let mut threads = Vec::with_capacity(models.len());
        for model in models {
            threads.push(start(&shared, &settings, &card.id, model)?);
        }
        tracing::info!(worker = %card.id, models = threads.len(), "working");

        stop.cancelled().await;
        vitals.stopping();
        tracing::info!(worker = %card.id, "stopping");
        // A claim that is under way may still bring items.
        shared.intakes.close();
        let emptied = async {
            shared.intakes.wait().await;
            held.emptied().await;
        };
        if tokio::time::timeout(settings.grace, emptied).await.is_err() {
            tracing::warn!(worker = %card.id, "the grace time is over, what is left is handed back");
        }
        over.cancel();
        let left = held.renewable(settings.item_deadline);
        if !left.is_empty()
            && let Err(error) = store.release(&left).await
        {
            tracing::warn!(worker = %card.id, %error, items = left.len(), "items are left to their leases");
        }
        if let Err(error) = store.retire(&card.id).await {
            tracing::warn!(worker = %card.id, %error, "the worker is not retired");
        }
        upkeep.close();
        upkeep.wait().await;
        finish(shared, threads, recorder).await?;
        keeping.close();
        keeping.wait().await;
        if shutdown.is_cancelled() {
            Ok(())
        } else {
            Err(WorkerError::Stopped("a network's thread ended".to_owned()))
        }
    }
}

/// Starts a model's pipeline.
fn start(
    shared: &Shared,
    settings: &WorkerSettings,
    worker: &WorkerId,
    (model, network, vitals): (LoadedModel, Network, LaneVitals),
) -> Result<JoinHandle<()>, WorkerError> {
    let name = model.card().name.clone();
    let metrics = Metrics::new(model.card());
    let expected = Expected::default();
    // A batch must fit into the slots, or the intake would wait for ever.
    let slots = settings.claim_ahead.max(settings.max_batch).get();
    let (to_network, arrivals) = sync_channel(slots);
    let (answered, answers) = mpsc::channel(slots);
    shared.tasks.spawn(postprocess::run(
        model.clone(),
        answers,
        shared.cache.as_ref().map(|cache| cache.keeper.clone()),
        shared.record.clone(),
        metrics.clone(),
    ));
    let thread = NetworkThread {
        network,
        arrivals,
        expected: expected.clone(),
        batch_wait: settings.batch_wait,
        answered,
        record: shared.record.clone(),
        metrics: metrics.clone(),
        vitals: vitals.clone(),
    };
    let ended = shared.shutdown.clone().drop_guard();
    let handle = std::thread::Builder::new()
        .name(format!("network-{name}"))
        .spawn(move || {
            let _ended = ended;
            thread.run();
        })
        .map_err(|error| WorkerError::Stopped(format!("no thread for {name}: {error}")))?;
    let lane = Lane {
        model,
        slots: Arc::new(Semaphore::new(slots)),
        fetch: shared.fetch.clone(),
        cache: shared.cache.clone(),
        prepare: shared.prepare.clone(),
        to_network,
        record: shared.record.clone(),
        metrics,
    };
    let intake = Intake {
        lane: Arc::new(lane),
        vitals,
        store: Arc::clone(&shared.store),
        worker: worker.clone(),
        model: name,
        lease: settings.lease,
        backoff: settings.backoff,
        refill: u32::try_from(settings.max_batch.get()).unwrap_or(u32::MAX),
        held: Arc::clone(&shared.held),
        expected,
        gate: shared.gate.clone(),
        tasks: shared.tasks.clone(),
        shutdown: shared.shutdown.clone(),
    };
    shared.intakes.spawn(intake.run());
    Ok(handle)
}

/// Waits for every stage, first to last.
async fn finish(
    shared: Shared,
    threads: Vec<JoinHandle<()>>,
    recorder: tokio::task::JoinHandle<()>,
) -> Result<(), WorkerError> {
    shared.intakes.wait().await;
    shared.tasks.close();
    shared.tasks.wait().await;
    drop(shared);
    let stopped = |what: &str| WorkerError::Stopped(what.to_owned());
    let joined = tokio::task::spawn_blocking(move || {
        threads.into_iter().all(|thread| thread.join().is_ok())
    });
    if !joined.await.is_ok_and(|all| all) {
        return Err(stopped("a network's thread panicked"));
    }
    recorder.await.map_err(|_| stopped("the recorder panicked"))
}
