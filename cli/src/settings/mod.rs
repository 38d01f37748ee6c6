//! Settings: read from four places, understood and checked together.
//!
//! What must never happen: an environment variable read anywhere else, a
//! secret printed, a problem reported that leaves the next one to be found
//! at the next start.

mod file;
mod given;
mod layer;
mod problem;
mod resolve;
mod values;

#[cfg(test)]
mod example;

pub(crate) use given::{Given, GivenParser};
pub(crate) use layer::Layer;
pub(crate) use problem::Problems;
pub(crate) use resolve::{Settings, SettingsArgs, TlsFiles};
pub(crate) use values::{BlobsSetting, LogSetting, StoreSetting};
