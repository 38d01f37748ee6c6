//! Why there is no tuned model.

use std::io;
use std::path::{Path, PathBuf};

use aisle_shared::domain::ModelName;
use aisle_train::TrainError;
use aisle_train::features::FeatureError;

/// Why there is no tuned model.
#[derive(Debug, thiserror::Error)]
pub enum TuneError {
    /// Everything that learning from frozen networks can fail by.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// More than one network was named.
    #[error("{0} backbones were named: one network can be tuned at a time")]
    Backbones(usize),
    /// There is nothing between these sizes.
    #[error("a compact network sees 64 to 224 pixels in steps of 32, not {0}")]
    Size(u32),
    /// A rule cannot be followed.
    #[error("{0}")]
    Rule(String),
    /// A teacher cannot teach a category.
    #[error("the teacher {model} does not know the category {category}")]
    Teacher {
        /// The teacher.
        model: ModelName,
        /// The category.
        category: String,
    },
    /// The batches are larger than the data.
    #[error("{pictures} pictures to learn from are too few for steps of two")]
    TooFew {
        /// How many there are.
        pictures: usize,
    },
    /// There is no GPU, or it cannot be used by this program.
    #[error("there is no learning on a GPU here: {0}")]
    Gpu(&'static str),
    /// A tensor is not what it should be.
    #[error("the network cannot be computed with gradients: {0}")]
    Tensor(String),
    /// The loss is no number any more.
    #[error(
        "learning went astray in step {step} at a learning rate of {rate:e}: the loss is no \
         number any more. Choose a smaller --learning-rate"
    )]
    Diverged {
        /// The step.
        step: usize,
        /// Its learning rate.
        rate: f64,
    },
    /// Images cannot be decoded.
    #[error("images cannot be decoded: {0}")]
    Decoder(String),
    /// A training that was stopped was another.
    #[error(
        "{} holds a training of {model} that was stopped, of other data or with other settings: \
         repeat its command to go on, or say --restart to forget it", path.display()
    )]
    Other {
        /// Where it was left.
        path: PathBuf,
        /// The model.
        model: ModelName,
    },
    /// What was left of a training cannot be read.
    #[error("{}: {what}; say --restart to begin anew", path.display())]
    Checkpoint {
        /// Where it was left.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl TuneError {
    /// Says which file it was.
    pub(crate) fn file(path: &Path) -> impl Fn(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path: path.clone(), source }
    }
}

impl From<FeatureError> for TuneError {
    fn from(error: FeatureError) -> Self {
        Self::Train(error.into())
    }
}
