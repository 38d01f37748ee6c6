//! Stopping: the first signal asks every part to end its work in order, the
//! second ends the process at once. Whatever was in hand then is given to
//! another worker when its lease expires, so nothing is lost either way.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The signals that ask a process to stop.
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Begins to listen for them.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn listen() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Cancels `stop` at the first signal, and ends the process at the second.
    pub(crate) fn cancel(mut self, stop: CancellationToken) {
        tokio::spawn(async move {
            self.next().await;
            tracing::info!("stopping; a second signal ends the process at once");
            stop.cancel();
            self.next().await;
            tracing::warn!("stopped by a second signal; work in hand is left to its lease");
            std::process::exit(130);
        });
    }
}

/// Runs a part of the process and, however it ends, stops the others with it.
pub(crate) async fn part<T>(running: impl Future<Output = T>, stop: &CancellationToken) -> T {
    let result = running.await;
    stop.cancel();
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_ends_takes_the_others_with_it() {
        let stop = CancellationToken::new();
        let (failed, ()) = tokio::join!(part(async { Err::<(), _>("broken") }, &stop), async {
            stop.cancelled().await;
        });
        assert_eq!(failed, Err("broken"));
    }
}
