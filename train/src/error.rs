//! Why there is no model, or no judgement of one.

use std::path::PathBuf;

use crate::dataset::DataError;
use crate::export::ExportError;
use crate::features::FeatureError;
use crate::head::FitError;
use crate::split::SplitError;

/// Why there is no model, or no judgement of one.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The data set cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// It cannot be split.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// There are no features.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// No head was found.
    #[error(transparent)]
    Head(#[from] FitError),
    /// The model folder cannot be written.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A golden picture cannot be made.
    #[error("the golden pictures cannot be made: {0}")]
    Golden(String),
    /// The report cannot be written.
    #[error("the report cannot be written: {0}")]
    Report(String),
    /// The page cannot be filled in.
    #[error("the report's page cannot be made: {0}")]
    Page(#[from] askama::Error),
    /// What was written computes something else than training did.
    #[error("the written model computes something else than training did: {0}")]
    Disagrees(String),
    /// No picture shows a category of the model.
    #[error("{}: none of its categories is one of the model's: {wanted:?}", path.display())]
    Unknown {
        /// The data set.
        path: PathBuf,
        /// Some of the model's categories.
        wanted: Vec<String>,
    },
    /// The threads that the work is shared among cannot be had.
    #[error("threads cannot be started: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}
