//! From a claim to its record, one pipeline for each model:
//!
//! `intake ▶ fetch ▶ cache ▶ decode and preprocess ▶ batch ▶ network ▶ postprocess ▶ record`
//!
//! A stage owns its input and hands another type on. A failure goes straight
//! to `record`, the only exit. What must never happen: an item dropped
//! without a record while its lease is held, a stage that grows without bound.

mod announce;
mod batch;
mod cache;
mod ending;
mod fetch;
mod forsaken;
mod gate;
mod heartbeat;
mod held;
mod hosts;
mod intake;
mod lane;
mod lanes;
mod metrics;
mod network;
mod pace;
mod postprocess;
mod prepare;
mod ready;
mod record;
mod renewal;
mod work;
mod worker;

pub use worker::Worker;

#[cfg(test)]
mod tests;
