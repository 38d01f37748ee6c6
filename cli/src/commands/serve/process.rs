//! What the parts of a serving process share, and how they end together.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use aisle_api::{ApiSettings, ApiState, Listeners};
use aisle_shared::fetch::{FetchPolicy, Fetcher};
use aisle_shared::telemetry::{
    LogFormat, MetricsHandle, StoreGauges, TraceSettings, TracesHandle, init_logging, init_traces,
    install_metrics,
};
use aisle_shared::upkeep::Upkeep;
use aisle_shared::vitals::Vitals;
use aisle_shared::webhook::Sender;
use aisle_worker::Worker;
use anyhow::{Context, ensure};
use tokio_util::sync::CancellationToken;

use super::access;
use super::monitor::{self, Monitored};
use crate::settings::{LogSetting, Settings, SettingsArgs};
use crate::stopping::{StopSignals, part};
use crate::wiring::{self, Backends};

/// How long the last spans may take to reach the collector.
const LAST_SPANS: Duration = Duration::from_secs(3);

/// What the process says of itself.
pub(super) struct Telemetry {
    metrics: MetricsHandle,
    traces: Option<TracesHandle>,
}

/// Reads the settings and sets logs, metrics and traces up; `service` is the
/// name that traces bear.
pub(super) fn prepare(
    args: SettingsArgs,
    service: &'static str,
) -> anyhow::Result<(Settings, Telemetry)> {
    let settings = Settings::resolve(args)?;
    let format = match settings.log_format {
        LogSetting::Text => LogFormat::Text,
        LogSetting::Json => LogFormat::Json,
    };
    init_logging(format, &settings.log).context("log (AISLE_LOG)")?;
    let metrics = install_metrics().context("metrics")?;
    let traces = settings.otlp_endpoint.clone().map(|endpoint| {
        let percent = settings.otlp_sample_percent;
        tracing::info!(%endpoint, percent, "traces go to a collector");
        init_traces(&TraceSettings { endpoint, service, percent })
    });
    let traces = traces.transpose().context("otlp_endpoint (AISLE_OTLP_ENDPOINT)")?;
    Ok((settings, Telemetry { metrics, traces }))
}

/// A running process: its parts begin here and end at `stop`.
pub(super) struct Process {
    settings: Settings,
    backends: Backends,
    telemetry: Telemetry,
    webhooks: Option<Arc<Sender>>,
    stop: CancellationToken,
}

impl Process {
    /// Opens the store; from here on signals stop the process in good order.
    /// `sends` says whether it sends webhooks unless the settings say.
    pub(super) async fn open(
        settings: Settings,
        telemetry: Telemetry,
        sends: bool,
    ) -> anyhow::Result<Self> {
        let backends = wiring::open(&settings).await?;
        let webhooks = sender(&settings, &backends, sends)?;
        let stop = CancellationToken::new();
        StopSignals::listen()?.cancel(stop.clone());
        Ok(Self { settings, backends, telemetry, webhooks, stop })
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
        if let Some(traces) = self.telemetry.traces.clone() {
            // A collector that does not answer is not waited for.
            drop(tokio::task::spawn_blocking(move || traces.shutdown(LAST_SPANS)).await);
        }
        result
    }

    /// What the API is to be like.
    ///
    /// # Errors
    /// When it would be open to more than was said, or TLS cannot be had.
    pub(super) async fn api_settings(&self) -> anyhow::Result<ApiSettings> {
        let settings = &self.settings;
        let access = access::decide(settings, self.backends.store.as_ref()).await?;
        Ok(ApiSettings {
            access,
            allowed_hosts: settings.allowed_hosts.clone(),
            tls: access::tls(settings.tls.as_ref())?,
            metrics: access::shows_metrics(settings, access),
            default_model: settings.default_model.clone(),
            retention: settings.retention,
            max_attempts: settings.max_attempts,
            fetch_policy: fetch_policy(settings),
            rate_per_minute: settings.rate_per_minute,
            upload_within: settings.upload_within,
            shutdown_grace: settings.grace,
            ..ApiSettings::default()
        })
    }

    /// Serves the API until the process stops.
    pub(super) async fn api(
        &self,
        listeners: Listeners,
        settings: ApiSettings,
        worker: Option<Vitals>,
    ) -> anyhow::Result<()> {
        let metrics = self.telemetry.metrics.clone();
        let state = ApiState {
            store: Arc::clone(&self.backends.store),
            blobs: Arc::clone(&self.backends.blobs),
            vault: self.backends.vault.clone(),
            settings,
            worker,
            metrics: Arc::new(move || metrics.render()),
        };
        let served = aisle_api::serve(listeners, state, self.stop.clone());
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

    /// Answers health checks and metrics for a process without an API, until
    /// its worker has drained.
    pub(super) async fn monitor(
        &self,
        listener: Option<TcpListener>,
        vitals: Vitals,
        drained: CancellationToken,
    ) -> anyhow::Result<()> {
        let Some(listener) = listener else { return Ok(()) };
        let monitored = Monitored {
            store: Arc::clone(&self.backends.store),
            vitals,
            gauges: Arc::new(StoreGauges::default()),
            metrics: self.telemetry.metrics.clone(),
        };
        let served = monitor::serve(listener, monitored, drained);
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
