//! Serving the application until told to stop.

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

/// Serves the API on `listener` until `shutdown` is cancelled: then no new
/// connection is taken, those who wait are answered, requests end, and the
/// call returns.
///
/// # Errors
/// When the listener cannot be served from.
pub async fn serve(
    listener: TcpListener,
    state: ApiState,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let mut server = start(listener, state, shutdown.clone())?;
    let handle = server.handle();
    tokio::select! {
        ended = &mut server => return ended,
        () = shutdown.cancelled() => {}
    }
    let (ended, ()) = tokio::join!(server, handle.stop(true));
    ended
}

/// Apart from the waiting: what builds the server cannot move between threads.
fn start(
    listener: TcpListener,
    state: ApiState,
    shutdown: CancellationToken,
) -> std::io::Result<Server> {
    let (threads, grace) = (state.settings.http_threads, state.settings.shutdown_grace);
    let context = Context::new(state, shutdown);
    let mut server = HttpServer::new(move || crate::app(Arc::clone(&context)))
        .client_request_timeout(REQUEST_TIMEOUT)
        .keep_alive(KEEP_ALIVE)
        .max_connections(MAX_CONNECTIONS)
        .shutdown_timeout(grace.as_secs())
        .disable_signals();
    if let Some(threads) = threads {
        server = server.workers(threads.max(1));
    }
    Ok(server.listen(listener)?.run())
}
