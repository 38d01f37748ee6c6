//! Decoding in child processes of the real binary: hostile images, children
//! that die or hang, memory, and the same pixels as Pillow's.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod chunks;
mod confinement;
mod crashes;
mod hostile;
mod large;
mod memory;
mod pillow;
mod readiness;
mod rig;
mod service;
