//! What the parts of a serving process share, and how they end together.

use std::net::TcpListener;
use std::sync::Arc;

use aisle_api::{ApiSettings, ApiState};
use aisle_shared::fetch::{FetchPolicy, Fetcher};
use aisle_shared::telemetry::{LogFormat, MetricsHandle, init_logging, install_metrics};
use aisle_shared::upkeep::Upkeep;
use aisle_shared::webhook::Sender;
use aisle_worker::Worker;
use anyhow::{Context, ensure};
use tokio_util::sync::CancellationToken;

use super::monitor::{self, Monitored};
use crate::settings::{LogSetting, Settings, SettingsArgs};
use crate::stopping::{StopSignals, part};
use crate::wiring::{self, Backends};

/// Reads the settings and sets logs and metrics up.
pub(super) fn prepare(args: SettingsArgs) -> anyhow::Result<(Settings, MetricsHandle)> {
    let settings = Settings::resolve(args)?;
    let format = match settings.log_format {
        LogSetting::Text => LogFormat::Text,
        LogSetting::Json => LogFormat::Json,
    };
    init_logging(format, &settings.log).context("log (AISLE_LOG)")?;
    let metrics = install_metrics().context("metrics")?;
    Ok((settings, metrics))
}

/// A running process: its parts begin here and end at `stop`.
pub(super) struct Process {
    settings: Settings,
    backends: Backends,
    metrics: MetricsHandle,
    webhooks: Option<Arc<Sender>>,
    stop: CancellationToken,
}

impl Process {
    /// Opens the store; from here on signals stop the process in good order.
    /// `sends` says whether it sends webhooks unless the settings say.
    pub(super) async fn open(
        settings: Settings,
        metrics: MetricsHandle,
        sends: bool,
    ) -> anyhow::Result<Self> {
        let backends = wiring::open(&settings).await?;
        let webhooks = sender(&settings, &backends, sends)?;
        let stop = CancellationToken::new();
        StopSignals::listen()?.cancel(stop.clone());
        Ok(Self { settings, backends, metrics, webhooks, stop })
    }

    /// Runs parts of the process, and the store's upkeep for as long as they
    /// run. Webhooks are sent until the process stops: those of jobs that end
    /// while it does stay in the store.
    pub(super) async fn run<T>(&self, parts: impl Future<Output = T>) -> T {
        let upkeep = Upkeep {
            store: Arc::clone(&self.backends.store),
            blobs: Arc::clone(&self.backends.blobs),
        };
        let over = CancellationToken::new();
        let webhooks = async {
            if let Some(sender) = &self.webhooks {
                Arc::clone(sender).run(self.stop.clone(), self.settings.grace).await;
            }
        };
        let (result, (), ()) = tokio::join!(part(parts, &over), upkeep.run(over.clone()), webhooks);
        tracing::info!("stopped");
        result
    }

    /// Serves the API until the process stops.
    pub(super) async fn api(
        &self,
        listener: TcpListener,
        needs_worker: bool,
    ) -> anyhow::Result<()> {
        let metrics = self.metrics.clone();
        let state = ApiState {
            store: Arc::clone(&self.backends.store),
            blobs: Arc::clone(&self.backends.blobs),
            vault: self.backends.vault.clone(),
            settings: ApiSettings {
                default_model: self.settings.default_model.clone(),
                retention: self.settings.retention,
                max_attempts: self.settings.max_attempts,
                fetch_policy: fetch_policy(&self.settings),
                needs_worker,
                shutdown_grace: self.settings.grace,
                ..ApiSettings::default()
            },
            metrics: Arc::new(move || metrics.render()),
        };
        let served = aisle_api::serve(listener, state, self.stop.clone());
        part(served, &self.stop).await.context("the API stopped")
    }

    /// Works on jobs until the process stops.
    pub(super) async fn worker(&self, worker: Worker) -> anyhow::Result<()> {
        let fetcher =
            Fetcher::new(fetch_policy(&self.settings)).context("the client for image URLs")?;
        let worked = worker.run(
            Arc::clone(&self.backends.store),
            Arc::clone(&self.backends.blobs),
            Arc::new(fetcher),
            self.stop.clone(),
        );
        part(worked, &self.stop).await.context("the worker stopped")
    }

    /// Answers health checks and metrics for a process without an API.
    pub(super) async fn monitor(&self, listener: Option<TcpListener>) -> anyhow::Result<()> {
        let Some(listener) = listener else { return Ok(()) };
        let monitored =
            Monitored { store: Arc::clone(&self.backends.store), metrics: self.metrics.clone() };
        let served = monitor::serve(listener, monitored, self.stop.clone());
        part(served, &self.stop).await.context("the health check stopped")
    }
}

fn fetch_policy(settings: &Settings) -> FetchPolicy {
    FetchPolicy {
        danger_allow_private_networks: settings.danger_allow_private_networks,
        ..FetchPolicy::default()
    }
}

/// The sender of webhooks, if this process has one.
fn sender(
    settings: &Settings,
    backends: &Backends,
    usual: bool,
) -> anyhow::Result<Option<Arc<Sender>>> {
    if !settings.webhooks.unwrap_or(usual) {
        return Ok(None);
    }
    let Some(vault) = &backends.vault else {
        let missing = "processes over Redis need a secret key (AISLE_SECRET_KEY) for webhooks";
        ensure!(settings.webhooks.is_none(), missing);
        tracing::warn!(code = "webhooks_not_configured", "no webhooks are sent: {missing}");
        return Ok(None);
    };
    let store = Arc::clone(&backends.store);
    let sender = Sender::new(store, Arc::clone(vault), fetch_policy(settings));
    Ok(Some(Arc::new(sender.context("the client for webhooks")?)))
}
