//! Why a worker does not start, or stopped.

use std::path::PathBuf;

use aisle_shared::domain::{ItemError, ModelName};

use crate::decoder::StartError;
use crate::model::{Broken, FolderError};
use crate::runtime::RuntimeError;
use crate::session::SessionError;
use crate::tune::TuneError;

/// Why a worker does not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// ONNX Runtime cannot be used.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// Images cannot be decoded.
    #[error(transparent)]
    Decoder(#[from] StartError),
    /// The models' folder cannot be listed.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Some models cannot be served. All are named, so that all can be mended.
    #[error("{}", listed(.0))]
    Broken(Vec<Broken>),
    /// There is nothing to serve.
    #[error("there is no model folder in {}", .0.display())]
    NoModels(PathBuf),
    /// The model that was asked for is not there.
    #[error("there is no model {wanted} among {present:?}")]
    UnknownModel {
        /// The model that was asked for.
        wanted: ModelName,
        /// Those that are there.
        present: Vec<String>,
    },
    /// A model has to be chosen.
    #[error("there is more than one model, choose one of {0:?}")]
    Ambiguous(Vec<String>),
    /// A network cannot be used.
    #[error("the model {model} cannot be used: {source}")]
    Session {
        /// Whose network it is.
        model: ModelName,
        /// What is wrong with it.
        source: SessionError,
    },
    /// How to run a network cannot be found out.
    #[error("the model {model}: {source}")]
    Untuned {
        /// Whose network it is.
        model: ModelName,
        /// What went wrong.
        source: TuneError,
    },
    /// A network has no sound answer to a sound picture.
    #[error("the model {model} does not classify a test picture: {source}")]
    Unproven {
        /// Whose network it is.
        model: ModelName,
        /// What went wrong.
        source: ItemError,
    },
    /// A network does not fit into the memory that networks may take.
    #[error(
        "the network of {model} takes {needs} MiB, and the limit for networks leaves {leaves} MiB \
         beside the default model's"
    )]
    TooLarge {
        /// Whose network it is.
        model: ModelName,
        /// Mebibytes that it takes.
        needs: u64,
        /// Mebibytes that there are for it.
        leaves: u64,
    },
    /// A model's files are no longer those that it was loaded from.
    #[error("the files of {0} were changed, so its network cannot be loaded again")]
    Changed(ModelName),
    /// A part of the worker ended although nobody asked it to.
    #[error("the worker stopped by itself: {0}")]
    Stopped(String),
}

fn listed(broken: &[Broken]) -> String {
    let lines: Vec<String> = broken.iter().map(|broken| broken.error.to_string()).collect();
    lines.join("\n")
}
