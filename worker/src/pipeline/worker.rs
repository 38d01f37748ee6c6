//! A worker: loads its models, runs their pipelines, and stops in good order.

use std::sync::Arc;
use std::time::Duration;

use aisle_shared::blob::BlobStore;
use aisle_shared::domain::{ModelCard, Timestamp, WorkerCard, WorkerId};
use aisle_shared::fetch::Fetcher;
use aisle_shared::store::Store;
use aisle_shared::vitals::{Patience, Vitals};
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::announce;
use super::cache::Cache;
use super::fetch::Fetch;
use super::forsaken::Forsaken;
use super::gate::Gate;
use super::heartbeat::Heartbeat;
use super::held::Held;
use super::hosts::Downloads;
use super::lanes::{Lanes, Shared};
use super::prepare::Prepare;
use super::record::Recorder;
use super::renewal::{Renewal, first_news};
use crate::decoder::Decoder;
use crate::error::WorkerError;
use crate::loader::{Loader, Served};
use crate::model::{Catalog, Watch, look};
use crate::settings::WorkerSettings;

/// Endings that wait for the recorder at most.
const RECORD_QUEUE: usize = 256;

/// Looks at the models' folder between two looks for items whose model was taken
/// away, and looks for which nobody may have announced it.
const FORSAKEN: (u32, u32) = (5, 30);

/// A worker whose models are loaded and warm.
#[derive(Debug)]
pub struct Worker {
    settings: WorkerSettings,
    card: WorkerCard,
    models: Vec<Served>,
    vitals: Vitals,
    decoder: Arc<Decoder>,
    loader: Arc<Loader>,
    watch: Watch,
}

impl Worker {
    /// Starts the decoders, loads every model, runs each batch size once and
    /// classifies a picture. Takes seconds and blocks.
    ///
    /// # Errors
    /// When ONNX Runtime cannot be used, when images cannot be decoded, when
    /// there is no model, or when any model cannot be used: a worker does not
    /// start with less than it was given.
    pub fn load(settings: WorkerSettings) -> Result<Self, WorkerError> {
        // What changes from here on is seen at the next look.
        let watch = look(&settings.models).map(Watch::of).unwrap_or_default();
        let catalog = Catalog::open(&settings.models)?;
        if !catalog.broken.is_empty() {
            return Err(WorkerError::Broken(catalog.broken));
        }
        if catalog.models.is_empty() {
            return Err(WorkerError::NoModels(settings.models));
        }
        let limits = settings.image_limits.clone();
        let decoder = Arc::new(Decoder::start(&settings.decoder, limits, settings.threads)?);
        let loader = Arc::new(Loader::new(&settings, Arc::clone(&decoder))?);
        let models = catalog.models.into_iter().map(|folder| loader.load(folder));
        let models = models.collect::<Result<Vec<Served>, _>>()?;
        let cards: Vec<ModelCard> =
            models.iter().map(|served| served.model.card().clone()).collect();
        let card = WorkerCard {
            id: WorkerId::generate(),
            pid: std::process::id(),
            started_at: Timestamp::now(),
            models: cards,
        };
        let patience = Patience { claim: settings.liveness, work: settings.item_deadline };
        let vitals = Vitals::new(patience, decoder.trouble());
        Ok(Self { settings, card, models, vitals, decoder, loader, watch })
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
        let Self { settings, card, models, vitals, decoder, loader, watch } = self;
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
        let news = first_news(card.clone());
        upkeep.spawn(announce::run(
            Arc::clone(&store),
            news.subscribe(),
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
        let renewal = settings.look_every.map(|every| {
            upkeep.spawn(forsaken(&settings, every, &card.id, &store, &blobs).run(over.clone()));
            Renewal { models: settings.models.clone(), every, loader, watch, news }
        });
        let grace = settings.grace;
        let item_deadline = settings.item_deadline;
        let mut lanes = Lanes::new(Shared {
            worker: card.id.clone(),
            vitals: vitals.clone(),
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
            settings,
        });
        tracing::info!(worker = %card.id, models = models.len(), "working");
        for served in models {
            lanes.start(served)?;
        }
        let renewed = async {
            match renewal {
                Some(renewal) => renewal.run(&mut lanes).await,
                None => std::future::pending().await,
            }
        };
        let renewed = tokio::select! {
            renewed = renewed => renewed,
            () = stop.cancelled() => Ok(()),
        };
        stop.cancel();
        vitals.stopping();
        tracing::info!(worker = %card.id, "stopping");
        // A claim that is under way may still bring items.
        lanes.shared.intakes.close();
        let emptied = async {
            lanes.shared.intakes.wait().await;
            held.emptied().await;
        };
        if tokio::time::timeout(grace, emptied).await.is_err() {
            tracing::warn!(worker = %card.id, "the grace time is over, what is left is handed back");
        }
        over.cancel();
        let left = held.renewable(item_deadline);
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
        lanes.finish().await?;
        recorder.await.map_err(|_| WorkerError::Stopped("the recorder panicked".to_owned()))?;
        keeping.close();
        keeping.wait().await;
        renewed?;
        if shutdown.is_cancelled() {
            Ok(())
        } else {
            Err(WorkerError::Stopped("a network's thread ended".to_owned()))
        }
    }
}

/// What ends items whose model was taken away.
fn forsaken(
    settings: &WorkerSettings,
    look_every: Duration,
    worker: &WorkerId,
    store: &Arc<dyn Store>,
    blobs: &Arc<dyn BlobStore>,
) -> Forsaken {
    let (every, patience) = FORSAKEN;
    Forsaken {
        worker: worker.clone(),
        store: Arc::clone(store),
        blobs: Arc::clone(blobs),
        lease: settings.lease,
        every: look_every * every,
        patience: look_every * patience,
    }
}
