//! Requests that come when they come, whether or not the last was answered.
//!
//! A client that waits for its answer before it asks again sends less while
//! the service is slow, and so leaves the slow moments out of its percentiles
//! (coordinated omission). Here the moments are drawn beforehand, and a
//! request's time counts from its moment.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use rand::Rng;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// The moments of a Poisson process: so many a second on average, the pauses
/// between them exponential and independent of each other.
#[must_use]
pub fn moments(rate: f64, length: Duration, random: &mut impl Rng) -> Vec<Duration> {
    let mut moments = Vec::new();
    let mut at = 0.0;
    loop {
        // Of 1 - u, because u may be 0 and is never 1.
        at -= (1.0 - random.random::<f64>()).ln() / rate;
        if at >= length.as_secs_f64() {
            return moments;
        }
        moments.push(Duration::from_secs_f64(at));
    }
}

/// Moments as they come about; it ends when it is dropped.
#[derive(Debug)]
pub struct Arrivals {
    /// Each moment, at that moment.
    pub moments: UnboundedReceiver<Instant>,
    _alive: Sender<()>,
}

impl Arrivals {
    /// Begins at once. A thread of its own keeps the time, because the
    /// runtime's timer is a millisecond coarse.
    #[must_use]
    pub fn begin(moments: Vec<Duration>) -> Self {
        let (alive, ended) = channel::<()>();
        let (sender, receiver) = unbounded_channel();
        let start = Instant::now();
        std::thread::spawn(move || {
            for moment in moments {
                let at = start + moment;
                let rest = at.saturating_duration_since(Instant::now());
                let waited = ended.recv_timeout(rest);
                if waited != Err(RecvTimeoutError::Timeout) || sender.send(at).is_err() {
                    return;
                }
            }
        });
        Self { moments: receiver, _alive: alive }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn moments_come_at_the_rate_asked_for_and_as_irregularly_as_chance() {
        let length = Duration::from_secs(100);
        let moments = moments(100.0, length, &mut StdRng::seed_from_u64(7));
        assert!((9_600..10_400).contains(&moments.len()), "{}", moments.len());
        assert!(moments.is_sorted() && moments.iter().all(|moment| *moment < length));
        // Of exponential pauses, 1 - 1/e are shorter than their mean.
        let pauses = moments.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64());
        let short = pauses.filter(|pause| *pause < 0.01).count() as f64 / moments.len() as f64;
        assert!((0.61..0.66).contains(&short), "{short}");
    }

    #[tokio::test]
    async fn no_moment_comes_early_and_none_is_left_out() {
        let moments: Vec<Duration> = (0..20).map(Duration::from_millis).collect();
        let mut arrivals = Arrivals::begin(moments);
        let mut seen = 0;
        while let Some(at) = arrivals.moments.recv().await {
            assert!(Instant::now() >= at);
            seen += 1;
        }
        assert_eq!(seen, 20);
    }
}
