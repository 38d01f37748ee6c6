//! `aisle serve`, `aisle api` and `aisle worker`: the same parts, together or
//! apart. They stop in the order of the data: the API takes no more, the
//! worker claims no more, both bring to an end what they have in hand, the
//! worker hands the rest back, and last the store is closed.

mod monitor;
mod process;

use std::net::TcpListener;

use aisle_worker::Worker;
use anyhow::Context;

use crate::output;
use crate::settings::{Settings, SettingsArgs};
use process::Process;

/// The API and a worker in one process.
pub(crate) async fn serve(args: SettingsArgs) -> anyhow::Result<()> {
    let (settings, metrics) = process::prepare(args)?;
    let worker_settings = settings.worker()?;
    let listener = bind(settings.listen, "AISLE_LISTEN")?;
    let worker = Worker::load(worker_settings)?;
    let process = Process::open(settings, metrics).await?;
    announce(&listener)?;
    let parts = async { tokio::join!(process.api(listener, true), process.worker(worker)) };
    let (served, worked) = process.run(parts).await;
    served.and(worked)
}

/// The API alone.
pub(crate) async fn api(args: SettingsArgs) -> anyhow::Result<()> {
    let (settings, metrics) = process::prepare(args)?;
    let listener = bind(settings.listen, "AISLE_LISTEN")?;
    let process = Process::open(settings, metrics).await?;
    announce(&listener)?;
    process.run(process.api(listener, false)).await
}

/// A worker alone.
pub(crate) async fn worker(args: SettingsArgs) -> anyhow::Result<()> {
    let (settings, metrics) = process::prepare(args)?;
    let worker_settings = settings.worker()?;
    let monitor = settings.metrics_listen.map(|address| bind(address, "AISLE_METRICS_LISTEN"));
    let monitor = monitor.transpose()?;
    let worker = Worker::load(worker_settings)?;
    let process = Process::open(settings, metrics).await?;
    let parts = async { tokio::join!(process.monitor(monitor), process.worker(worker)) };
    let (monitored, worked) = process.run(parts).await;
    monitored.and(worked)
}

fn bind(address: std::net::SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).with_context(|| format!("cannot listen on {address} ({setting})"))
}

/// Tells a person, and whatever started the process, where to go.
fn announce(listener: &TcpListener) -> anyhow::Result<()> {
    let mut address = listener.local_addr()?;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    output::answer(&format!("aisle listens on http://{address}; try it at http://{address}/docs"))?;
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
        );
        Ok(aisle_worker::WorkerSettings {
            provider: self.provider,
            threads: self.threads.unwrap_or(defaults.threads),
            max_batch: self.max_batch,
            // One batch runs, one is ready, one is on its way.
            claim_ahead: self
                .max_batch
                .saturating_mul(std::num::NonZeroUsize::MIN.saturating_add(2)),
            batch_wait: self.batch_wait,
            lease: self.lease,
            grace: self.grace,
            ..defaults
        })
    }
}
