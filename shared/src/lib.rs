//! What the API and the worker agree on: domain types, the store and its two
//! backends, blobs, the guarded HTTP client, webhooks and telemetry.
//!
//! Nothing here knows HTTP status codes, ONNX, or where settings come from.

pub mod blob;
pub mod clock;
pub mod disk;
pub mod domain;
pub mod fetch;
pub mod image_probe;
pub mod store;
pub mod telemetry;
pub mod upkeep;
pub mod vitals;
pub mod webhook;
