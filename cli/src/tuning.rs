//! How ways to run networks are tried: by this very program, started once
//! more, and remembered in the data folder.

use std::num::NonZeroUsize;
use std::path::Path;

use aisle_worker::decoder::{Isolation, Program};
use aisle_worker::model::ModelFolder;
use aisle_worker::tune::{TuningSettings, Wanted};

use crate::settings::Settings;

/// The sub-command that tries.
const WORD: &str = "tuner";

/// Folder of the records in the data folder.
const FOLDER: &str = "tuning";

impl Settings {
    /// Where ways to run networks are tried and remembered.
    pub(crate) fn tuning(&self) -> TuningSettings {
        TuningSettings {
            folder: self.data.join(FOLDER),
            isolation: Isolation::Processes(Program::this(WORD)),
        }
    }

    /// What a choice is made for, as a worker with these settings makes it.
    pub(crate) fn wanted<'a>(&self, folder: &'a ModelFolder, library: &'a Path) -> Wanted<'a> {
        let threads: NonZeroUsize = self.threads.unwrap_or_else(aisle_worker::default_threads);
        Wanted { folder, library, threads, max_batch: self.max_batch }
    }
}
