//! The road from a data set to a model folder, and from a model folder back
//! to a judgement.

mod evaluate;
mod finish;
mod prepare;
mod prove;
mod sets;
mod summary;
mod train;
pub mod tuning;
mod watching;

pub use evaluate::{EvaluateSettings, Evaluation, evaluate};
pub use finish::{Learned, PROVING};
pub use prepare::Prepared;
pub use prove::{Agreement, goldens};
pub use sets::Set;
pub use summary::{Data, HeadReport, Trained};
pub use train::{TrainSettings, train};
