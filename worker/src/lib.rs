//! Claim in, complete out: a worker takes items from the store, reads their
//! images, runs the network and records what it answered.
//!
//! What must never happen: an item leaves by another exit than `record`, one
//! image's fault costs another item, anything here knows which store it has.

pub mod decode;
pub mod decoder;
pub mod model;
pub mod preprocess;
pub mod tune;

mod classifier;
mod error;
mod extractor;
mod loaded;
mod loader;
mod machine;
mod memory;
mod network;
mod pipeline;
mod plan;
mod postprocess;
mod proof;
mod runtime;
mod session;
mod settings;
mod stage;

pub use classifier::{Classifier, ClassifierSettings};
pub use error::WorkerError;
pub use extractor::{Extractor, Part};
pub use pipeline::Worker;
pub use plan::{Plan, Precision, Provider, ProviderChoice};
pub use postprocess::{Postprocessor, Question, Ranking};
pub use runtime::RuntimeError;
pub use session::{Session, SessionError, SessionSettings};
pub use settings::{Backoff, WorkerSettings, default_threads};
