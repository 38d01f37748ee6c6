//! What an image is and how large, from its headers, without decoding it.
//! Both ends hold uploads against the same limits here: the API before it
//! stores them, the worker before it decodes them.
//!
//! What must never happen: a panic, an allocation that grows with what the
//! bytes claim, a type believed because someone named it.

mod format;
mod gif;
mod jpeg;
mod limits;
mod png;
mod probe;
mod reader;
mod webp;

#[cfg(test)]
mod tests;

pub use format::ImageFormat;
pub use limits::ImageLimits;
pub use probe::{Probed, probe};
