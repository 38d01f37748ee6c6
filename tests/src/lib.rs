//! The harness of the conformance and the end-to-end suite: real servers,
//! real stores, real processes, real networks, and the jobs and pictures that
//! tests put into them.
//!
//! Nothing here stands in for a part of the service: a test that needs Redis
//! gets a Redis of its own, and fails where there is none.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a harness fails by panicking, and tests print what they skip"
)]

pub mod bench;
pub mod chaos;
pub mod collector;
pub mod fixtures;
pub mod fuzz;
pub mod harness;
pub mod image_host;
pub mod pictures;
pub mod places;
pub mod receiver;
pub mod redis_cluster;
pub mod redis_server;
pub mod secrets;
pub mod service;
pub mod tiny_model;
pub mod wait;
