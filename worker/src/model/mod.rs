//! Model folders in the Hugging Face layout, used as downloaded: what they
//! hold, checked once when they are opened, so that everything behind is valid.

mod audit;
mod catalog;
mod config;
mod digest;
mod error;
mod extra;
mod folder;
mod preprocessor;
mod processors;
mod size;
mod stamp;
mod taxonomy;
mod timm;
mod variants;
mod watch;

pub use audit::{Finding, Weight, audit};
pub use catalog::{Broken, Catalog};
pub use error::FolderError;
pub use extra::Tolerance;
pub use folder::ModelFolder;
pub use preprocessor::{
    ChannelOrder, Crop, CropRounding, Normalize, Preprocessing, Rescale, Resize,
};
pub use size::{Extent, Filter, ResizeTo};
pub(crate) use stamp::Stamp;
pub use taxonomy::{Level, Taxonomy};
pub(crate) use watch::{Change, Watch, look};
