//! Writing a model folder that a worker serves unchanged, and holding what it
//! computes against what training computed.

mod card;
mod folder;
mod golden;
mod graph;

pub use card::card;
pub use folder::{ExportError, Made, Place};
pub use golden::{Golden, GoldenError, GoldenPicture, read_goldens};
pub use graph::graph;
