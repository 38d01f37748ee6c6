//! What the parts of a serving process share, and how they end together.

use std::net::TcpListener;
use std::sync::Arc;

use aisle_api::{ApiSettings, ApiState, Listeners};
use aisle_shared::fetch::{FetchPolicy, Fetcher};
use aisle_shared::telemetry::{LogFormat, MetricsHandle, init_logging, install_metrics};
use aisle_shared::upkeep::Upkeep;
use aisle_worker::Worker;
use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::access;
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
    stop: CancellationToken,
}

impl Process {
    /// Opens the store; from here on signals stop the process in good order.
    pub(super) async fn open(settings: Settings, metrics: MetricsHandle) -> anyhow::Result<Self> {
        let backends = wiring::open(&settings).await?;
        let stop = CancellationToken::new();
        StopSignals::listen()?.cancel(stop.clone());
        Ok(Self { settings, backends, metrics, stop })
    }

    /// Runs parts of the process, and the store's upkeep for as long as they
    /// run.
    pub(super) async fn run<T>(&self, parts: impl Future<Output = T>) -> T {
        let upkeep = Upkeep {
            store: Arc::clone(&self.backends.store),
            blobs: Arc::clone(&self.backends.blobs),
        };
        let over = CancellationToken::new();
        let (result, ()) = tokio::join!(part(parts, &over), upkeep.run(over.clone()));
        tracing::info!("stopped");
        result
    }

    /// What the API is to be like.
    ///
    /// # Errors
    /// When it would be open to more than was said, or TLS cannot be had.
    pub(super) async fn api_settings(&self, needs_worker: bool) -> anyhow::Result<ApiSettings> {
        let settings = &self.settings;
        let access = access::decide(settings, self.backends.store.as_ref()).await?;
        Ok(ApiSettings {
            access,
            tls: access::tls(settings.tls.as_ref())?,
            metrics: access::shows_metrics(settings, access),
            default_model: settings.default_model.clone(),
            retention: settings.retention,
            max_attempts: settings.max_attempts,
            fetch_policy: self.fetch_policy(),
            rate_per_minute: settings.rate_per_minute,
            upload_within: settings.upload_within,
            needs_worker,
            shutdown_grace: settings.grace,
            ..ApiSettings::default()
        })
    }

    /// Serves the API until the process stops.
    pub(super) async fn api(
        &self,
        listeners: Listeners,
        settings: ApiSettings,
    ) -> anyhow::Result<()> {
        let metrics = self.metrics.clone();
        let state = ApiState {
            store: Arc::clone(&self.backends.store),
            blobs: Arc::clone(&self.backends.blobs),
            settings,
            metrics: Arc::new(move || metrics.render()),
        };
        let served = aisle_api::serve(listeners, state, self.stop.clone());
        part(served, &self.stop).await.context("the API stopped")
    }

    /// Works on jobs until the process stops.
    pub(super) async fn worker(&self, worker: Worker) -> anyhow::Result<()> {
        let fetcher = Fetcher::new(self.fetch_policy()).context("the client for image URLs")?;
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

    fn fetch_policy(&self) -> FetchPolicy {
        FetchPolicy {
            danger_allow_private_networks: self.settings.danger_allow_private_networks,
            ..FetchPolicy::default()
        }
    }
}
