//! How a worker is set up.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use aisle_shared::domain::ModelName;
use aisle_shared::image_probe::ImageLimits;
use aisle_shared::store::CacheLimits;

use crate::decoder::DecoderSettings;
use crate::plan::ProviderChoice;
use crate::tune::TuningSettings;

/// Images in a batch at most, unless set otherwise.
pub(crate) const DEFAULT_MAX_BATCH: NonZeroUsize = NonZeroUsize::MIN.saturating_add(7);

/// How a worker is set up.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// A folder of model folders, or one model folder.
    pub models: PathBuf,
    /// The model of jobs that name none, whose network always stays in memory;
    /// `None` for the first by name.
    pub default_model: Option<ModelName>,
    /// Bytes that networks may take together: of those that do not fit, the one
    /// that has not run for longest is loaded again when it is needed. `None`
    /// where all stay.
    pub model_memory: Option<u64>,
    /// Between two looks at the models' folder; `None` where what was there at
    /// the start is served to the end.
    pub look_every: Option<Duration>,
    /// The ONNX Runtime library.
    pub ort_lib: PathBuf,
    /// Where networks run.
    pub provider: ProviderChoice,
    /// Where ways to run networks are tried and remembered.
    pub tuning: TuningSettings,
    /// Threads for each network's run, and for decoding in all models.
    pub threads: NonZeroUsize,
    /// Images in a batch at most.
    pub max_batch: NonZeroUsize,
    /// How long the oldest image waits for others that are on their way,
    /// while the network is free.
    pub batch_wait: Duration,
    /// Items of a model that are in work at once at most. Two to three
    /// batches keep the network busy; more only holds items back from other
    /// workers.
    pub claim_ahead: NonZeroUsize,
    /// Items of all models that may wait for their downloads at once.
    pub max_remote: NonZeroUsize,
    /// Downloads that run at once.
    pub max_downloads: NonZeroUsize,
    /// Downloads from one host that run at once.
    pub max_downloads_per_host: NonZeroUsize,
    /// How long items stay this worker's own without a sign of life.
    pub lease: Duration,
    /// How long an item may take in all before its lease is no longer
    /// renewed, so that a stage that hangs cannot hold it for good.
    pub item_deadline: Duration,
    /// How long the worker counts as alive without an answered claim.
    pub liveness: Duration,
    /// How long items that have been started may take to end when the
    /// worker is asked to stop.
    pub grace: Duration,
    /// How an item that failed for a passing reason is delayed.
    pub backoff: Backoff,
    /// Limits that hold before an image is decoded.
    pub image_limits: ImageLimits,
    /// How images are decoded.
    pub decoder: DecoderSettings,
    /// How many answers are kept for pictures that come again, and how long;
    /// `None` where each picture is classified anew.
    pub cache: Option<CacheLimits>,
}

impl WorkerSettings {
    /// The defaults for a models' folder and a library.
    #[must_use]
    pub fn new(
        models: PathBuf,
        ort_lib: PathBuf,
        decoder: DecoderSettings,
        tuning: TuningSettings,
    ) -> Self {
        Self {
            models,
            default_model: None,
            model_memory: None,
            look_every: None,
            ort_lib,
            provider: ProviderChoice::default(),
            tuning,
            threads: default_threads(),
            max_batch: DEFAULT_MAX_BATCH,
            batch_wait: Duration::from_millis(2),
            claim_ahead: DEFAULT_MAX_BATCH.saturating_add(16),
            max_remote: NonZeroUsize::MIN.saturating_add(255),
            max_downloads: NonZeroUsize::MIN.saturating_add(63),
            max_downloads_per_host: NonZeroUsize::MIN.saturating_add(3),
            lease: Duration::from_secs(10),
            item_deadline: Duration::from_secs(60),
            liveness: Duration::from_secs(30),
            grace: Duration::from_secs(20),
            backoff: Backoff::default(),
            image_limits: ImageLimits::default(),
            decoder,
            cache: None,
        }
    }
}

/// Delays that double with each attempt, up to a cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// After the first attempt.
    pub base: Duration,
    /// The longest.
    pub cap: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base: Duration::from_secs(1), cap: Duration::from_secs(60) }
    }
}

impl Backoff {
    /// The delay after attempt number `attempt` (from 1): between half and
    /// all of the doubled one, so that items that failed together do not
    /// come back together. `jitter` is from 0 to 1.
    #[must_use]
    pub fn after(&self, attempt: u32, jitter: f64) -> Duration {
        let doubled = self.base.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
        doubled.min(self.cap).mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
    }
}

/// The processors that this process may use, its cgroup's quota included.
#[must_use]
pub fn default_threads() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_cap() {
        let backoff = Backoff::default();
        let seconds = |attempt| backoff.after(attempt, 1.0).as_secs();
        assert_eq!([1, 2, 3, 6, 7, 99].map(seconds), [1, 2, 4, 32, 60, 60]);
    }

    #[test]
    fn jitter_takes_away_half_at_most() {
        let backoff = Backoff::default();
        assert_eq!(backoff.after(2, 0.0), Duration::from_secs(1));
        assert_eq!(backoff.after(2, 1.0), Duration::from_secs(2));
    }
}
