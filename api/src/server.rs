//! Serving the applications until told to stop.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpServer;
use actix_web::dev::Server;
use tokio_util::sync::CancellationToken;

use crate::context::{ApiState, Context};

/// How long a client may take to send a request's head.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may lie idle between requests.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Connections that one thread holds at most.
const MAX_CONNECTIONS: usize = 10_000;

/// Threads beside each thread of the server for work on the disk. More would
/// not write faster, and each keeps some memory: a burst must not start them by
/// the hundred.
const DISK_THREADS: usize = 8;

/// Where the API listens.
#[derive(Debug)]
pub struct Listeners {
    /// For callers.
    pub callers: TcpListener,
    /// For administrators: health and metrics, plain and without a key.
    pub administrators: Option<TcpListener>,
}

impl From<TcpListener> for Listeners {
    fn from(callers: TcpListener) -> Self {
        Self { callers, administrators: None }
    }
}

/// Serves the API until `shutdown` is cancelled: then no new connection is
/// taken, those who wait are answered, requests end, and the call returns.
/// Administrators are answered until callers are served no longer.
///
/// # Errors
/// When a listener cannot be served from.
pub async fn serve(
    listeners: impl Into<Listeners>,
    state: ApiState,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let Listeners { callers, administrators } = listeners.into();
    let context = Context::new(state, shutdown.clone());
    let served = CancellationToken::new();
    let administrators = administrators
        .map(|listener| start_for_administrators(listener, Arc::clone(&context)))
        .transpose()?;
    let callers = start(callers, context)?;
    let callers = async {
        let ended = until(callers, &shutdown).await;
        served.cancel();
        ended
    };
    let administrators = async {
        match administrators {
            // Without it, nobody could see what the service does: it stops.
            Some(server) => {
                let ended = until(server, &served).await;
                shutdown.cancel();
                ended
            }
            None => Ok(()),
        }
    };
    let (called, administered) = tokio::join!(callers, administrators);
    called.and(administered)
}

/// Runs a server until it ends or is to end.
async fn until(mut server: Server, stop: &CancellationToken) -> std::io::Result<()> {
    let handle = server.handle();
    tokio::select! {
        ended = &mut server => return ended,
        () = stop.cancelled() => {}
    }
    let (ended, ()) = tokio::join!(server, handle.stop(true));
    ended
}

/// Apart from the waiting: what builds the server cannot move between threads.
fn start(listener: TcpListener, context: Arc<Context>) -> std::io::Result<Server> {
    let settings = context.settings();
    let (threads, grace) = (settings.http_threads, settings.shutdown_grace);
    let tls = settings.tls.clone();
    let mut server = HttpServer::new(move || crate::app(Arc::clone(&context)))
        .client_request_timeout(REQUEST_TIMEOUT)
        .keep_alive(KEEP_ALIVE)
        .max_connections(MAX_CONNECTIONS)
        .worker_max_blocking_threads(DISK_THREADS)
        .shutdown_timeout(grace.as_secs())
        .disable_signals();
    if let Some(threads) = threads {
        server = server.workers(threads.max(1));
    }
    let server = match tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls.config())?,
        None => server.listen(listener)?,
    };
    Ok(server.run())
}

fn start_for_administrators(
    listener: TcpListener,
    context: Arc<Context>,
) -> std::io::Result<Server> {
    let grace = context.settings().shutdown_grace;
    let server = HttpServer::new(move || crate::admin_app(Arc::clone(&context)))
        .client_request_timeout(REQUEST_TIMEOUT)
        .keep_alive(KEEP_ALIVE)
        .workers(1)
        .worker_max_blocking_threads(1)
        .shutdown_timeout(grace.as_secs())
        .disable_signals();
    Ok(server.listen(listener)?.run())
}
