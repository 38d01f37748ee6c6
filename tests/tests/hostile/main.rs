//! Requests that are made to do harm, sent over bare sockets to a running
//! API: each gets a plain refusal, nothing is written where nothing may be,
//! the memory stays bounded, and the next caller is served.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod addresses;
mod documents;
mod fetching;
mod forms;
mod heads;
mod rig;
