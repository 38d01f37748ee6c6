//! What is to be learned, and how.

use std::path::PathBuf;

use aisle_train::TrainSettings;
use aisle_train::road::tuning::Rules;

/// How a network is tuned.
#[derive(Debug, Clone)]
pub struct TuneSettings {
    /// What frozen networks need too. There is one backbone, or none where a
    /// compact network begins with random weights.
    pub train: TrainSettings,
    /// How it learns.
    pub rules: Rules,
    /// Begins with a compact network of random weights.
    pub from_scratch: Option<Compact>,
    /// The model folder whose answers are learned from besides the labels.
    pub teacher: Option<PathBuf>,
    /// Begins anew where an unfinished training was left.
    pub restart: bool,
    /// Where it learns.
    pub place: Place,
}

/// A compact network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compact {
    /// Height and width of what it sees, in pixels.
    pub size: u32,
}

/// Where a network learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On the processor.
    Cpu,
    /// On the first NVIDIA GPU.
    Gpu,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
        })
    }
}
