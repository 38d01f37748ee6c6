//! The road from a data set to a model folder, and from a model folder back
//! to a judgement.

mod evaluate;
mod prove;
mod sets;
mod summary;
mod train;

pub use evaluate::{EvaluateSettings, Evaluation, evaluate};
pub use prove::Agreement;
pub use summary::{Data, Trained};
pub use train::{TrainSettings, train};
