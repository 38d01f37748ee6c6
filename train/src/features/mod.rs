//! From pictures to features: decoded, framed and run as in serving, and kept
//! on disk so that the next training of the same pictures starts at once.

mod backbone;
mod cache;
mod error;
mod extract;
mod geometry;
mod views;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use aisle_shared::image_probe::ImageLimits;
use aisle_worker::decoder::DecoderSettings;
use aisle_worker::{Plan, SessionSettings};
use rayon::{ThreadPoolBuildError, ThreadPoolBuilder};

pub use backbone::Backbone;
pub use error::FeatureError;
pub use extract::{Extracted, Network, extract, networks};
pub use geometry::{one_framing, shift};
pub use views::Views;

pub(crate) use views::again;

/// What extraction needs of the machine.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The ONNX Runtime library.
    pub library: PathBuf,
    /// How networks run: where, in which arithmetic, by how many threads.
    pub plan: Plan,
    /// How their sessions are set up besides.
    pub session: SessionSettings,
    /// Threads for reading and decoding.
    pub threads: NonZeroUsize,
    /// How images are decoded.
    pub decoder: DecoderSettings,
    /// Limits that hold before an image is decoded.
    pub limits: ImageLimits,
    /// The folder in which features are kept, if they are.
    pub cache: Option<PathBuf>,
}

impl Machine {
    /// Does work that is shared among the machine's threads.
    ///
    /// # Errors
    /// When they cannot be started.
    pub fn work<T: Send>(
        &self,
        work: impl FnOnce() -> T + Send,
    ) -> Result<T, ThreadPoolBuildError> {
        let pool = ThreadPoolBuilder::new().num_threads(self.threads.get()).build()?;
        Ok(pool.install(work))
    }
}
