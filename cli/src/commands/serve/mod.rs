//! `aisle serve`, `aisle api` and `aisle worker`: the same parts, together or
//! apart. They stop in the order of the data: the API takes no more, the
//! worker claims no more, both bring to an end what they have in hand, the
//! worker hands the rest back, and last the store is closed.

mod access;
mod monitor;
mod process;

use std::net::TcpListener;

use aisle_api::{ApiSettings, Listeners};
use aisle_worker::Worker;
use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::output;
use crate::settings::{Settings, SettingsArgs};
use crate::stopping::part;
use process::Process;

/// The API and a worker in one process.
pub(crate) async fn serve(args: SettingsArgs) -> anyhow::Result<()> {
    let (settings, telemetry) = process::prepare(args, "aisle")?;
    let worker_settings = settings.worker()?;
    let listeners = listen(&settings)?;
    let worker = Worker::load(worker_settings)?;
    let process = Process::open(settings, telemetry, true).await?;
    let api = process.api_settings().await?;
    announce(&listeners.callers, &api)?;
    let vitals = Some(worker.vitals());
    let parts = async { tokio::join!(process.api(listeners, api, vitals), process.worker(worker)) };
    let (served, worked) = process.run(parts).await;
    served.and(worked)
}

/// The API alone.
pub(crate) async fn api(args: SettingsArgs) -> anyhow::Result<()> {
    let (settings, telemetry) = process::prepare(args, "aisle-api")?;
    let listeners = listen(&settings)?;
    let process = Process::open(settings, telemetry, false).await?;
    let api = process.api_settings().await?;
    announce(&listeners.callers, &api)?;
    process.run(process.api(listeners, api, None)).await
}

/// A worker alone.
pub(crate) async fn worker(args: SettingsArgs) -> anyhow::Result<()> {
    let (settings, telemetry) = process::prepare(args, "aisle-worker")?;
    let worker_settings = settings.worker()?;
    let monitor = listen_for_administrators(&settings)?;
    let worker = Worker::load(worker_settings)?;
    let process = Process::open(settings, telemetry, true).await?;
    // Whoever watches a worker that stops sees it until it has.
    let drained = CancellationToken::new();
    let watched = process.monitor(monitor, worker.vitals(), drained.clone());
    let parts = async { tokio::join!(watched, part(process.worker(worker), &drained)) };
    let (monitored, worked) = process.run(parts).await;
    monitored.and(worked)
}

/// The addresses of an API.
fn listen(settings: &Settings) -> anyhow::Result<Listeners> {
    Ok(Listeners {
        callers: bind(settings.listen, "AISLE_LISTEN")?,
        administrators: listen_for_administrators(settings)?,
    })
}

fn listen_for_administrators(settings: &Settings) -> anyhow::Result<Option<TcpListener>> {
    settings.admin_listen.map(|address| bind(address, "AISLE_ADMIN_LISTEN")).transpose()
}

fn bind(address: std::net::SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).with_context(|| format!("cannot listen on {address} ({setting})"))
}

/// Tells a person, and whatever started the process, where to go.
fn announce(listener: &TcpListener, api: &ApiSettings) -> anyhow::Result<()> {
    let mut address = listener.local_addr()?;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let base = format!("{}://{address}", if api.tls.is_some() { "https" } else { "http" });
    // Where it cannot be written, as on a full disk, it serves all the same.
    let _ = output::answer(&format!("aisle listens on {base}; try it at {base}/docs"));
    Ok(())
}

impl Settings {
    /// What a worker needs of the settings.
    ///
    /// # Errors
    /// When there is no models folder.
    fn worker(&self) -> anyhow::Result<aisle_worker::WorkerSettings> {
        let defaults = aisle_worker::WorkerSettings::new(
            self.models_folder()?,
            self.ort_lib()?,
            self.decoder(),
            self.tuning(),
        );
        Ok(aisle_worker::WorkerSettings {
            default_model: self.default_model.clone(),
            model_memory: self.model_memory,
            look_every: self.models_poll,
            provider: self.provider,
            threads: self.threads.unwrap_or(defaults.threads),
            max_batch: self.max_batch,
            // One batch runs, one is ready, one is on its way.
            claim_ahead: self
                .max_batch
                .saturating_mul(std::num::NonZeroUsize::MIN.saturating_add(2)),
            batch_wait: self.batch_wait,
            cache: self.cache,
            lease: self.lease,
            liveness: self.liveness,
            grace: self.grace,
            ..defaults
        })
    }
}
