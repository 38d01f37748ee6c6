//! Serving the application until told to stop.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpServer;
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
    let settings = state.settings.clone();
    let context = Context::new(state, shutdown.clone());
    let mut server = HttpServer::new(move || crate::app(Arc::clone(&context)))
        .client_request_timeout(REQUEST_TIMEOUT)
        .keep_alive(KEEP_ALIVE)
        .max_connections(MAX_CONNECTIONS)
        .shutdown_timeout(settings.shutdown_grace.as_secs())
        .disable_signals();
    if let Some(threads) = settings.http_threads {
        server = server.workers(threads.max(1));
    }
    let server = server.listen(listener)?.run();
    let handle = server.handle();
    let stop = async move {
        shutdown.cancelled().await;
        handle.stop(true).await;
    };
    let (served, ()) = tokio::join!(server, stop);
    served
}
