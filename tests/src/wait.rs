//! Waiting for a condition instead of for a while.

use std::future::Future;
use std::time::{Duration, Instant};

/// How long the suite waits for anything before it gives up.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Asks again and again until the answer is there.
///
/// # Panics
/// When [`DEADLINE`] passes first; `what` says what was waited for.
pub async fn until<T, F, Fut>(what: &str, mut ask: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let started = Instant::now();
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    while started.elapsed() < DEADLINE {
        if let Some(answer) = ask().await {
            return answer;
        }
        pause.tick().await;
    }
    panic!("waited {DEADLINE:?} in vain for {what}");
}
