//! Finding the fastest way to run a network on this machine that still gives
//! its answers.
//!
//! Everything that the loaded library offers is tried on the real network,
//! beside the CPU provider in single precision and in turns with it, because
//! other work on the machine slows both. What gives other answers is refused,
//! however fast. The choice is remembered with all that was measured, until
//! the model, the library or the machine is another.

mod child;
mod choice;
mod closeness;
mod generated;
mod pictures;
mod planner;
mod race;
mod record;
mod trials;

use std::path::PathBuf;

use crate::decoder::Isolation;

pub use child::{run as run_child, tune};
pub use choice::{Measured, Outcome, Trial};
pub use closeness::{Closeness, Evidence, Verdict};
pub(crate) use planner::{Planner, Use};
pub use planner::{TuneError, remembered};
pub use record::{Record, Wanted};

/// Where choices are made and remembered.
#[derive(Debug, Clone)]
pub struct TuningSettings {
    /// Folder of the records, one file for each model.
    pub folder: PathBuf,
    /// Where trials run: in a child process, which a provider may take down
    /// or leave full of its libraries, or here.
    pub isolation: Isolation,
}

impl TuningSettings {
    /// Trials in this process, remembered in a folder.
    #[must_use]
    pub const fn here(folder: PathBuf) -> Self {
        Self { folder, isolation: Isolation::Here }
    }

    /// Where TensorRT keeps the engines that it has compiled.
    pub(crate) fn engines(&self) -> PathBuf {
        self.folder.join("tensorrt")
    }
}
