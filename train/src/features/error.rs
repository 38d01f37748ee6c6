//! Why there are no features.

use std::path::PathBuf;

use aisle_shared::domain::ModelName;
use aisle_worker::WorkerError;
use aisle_worker::decoder::StartError;
use aisle_worker::model::FolderError;

use crate::onnx::OnnxError;

/// Why there are no features.
#[derive(Debug, thiserror::Error)]
pub enum FeatureError {
    /// A backbone's folder is no model.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A backbone's network cannot be read, or has no features.
    #[error("{model}: {source}")]
    Graph {
        /// Whose network it is.
        model: ModelName,
        /// What is wrong with it.
        source: OnnxError,
    },
    /// A network does not run.
    #[error(transparent)]
    Network(#[from] WorkerError),
    /// Images cannot be decoded.
    #[error(transparent)]
    Decoder(#[from] StartError),
    /// Decoding stopped working on the way.
    #[error("images cannot be decoded any more: {0}")]
    Stopped(String),
    /// A picture is not what it was when the work began.
    #[error("{name} has changed since the work began: {why}")]
    Changed {
        /// Its name in the data set.
        name: String,
        /// What is wrong with it now.
        why: String,
    },
    /// Two backbones see different parts of a picture.
    #[error("{first} and {other} cannot be joined: {what}")]
    Mismatch {
        /// The first backbone.
        first: ModelName,
        /// Another.
        other: ModelName,
        /// How they differ.
        what: String,
    },
    /// A backbone does not cut the centre out of a picture, so there is no more
    /// to be seen.
    #[error(
        "{0} cannot be shown more of a picture: it does not resize the shorter side and cut a \
         square out"
    )]
    Narrow(ModelName),
    /// There is no backbone.
    #[error("a backbone is needed: a model folder whose network is learned from")]
    NoBackbone,
    /// A file or folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}
