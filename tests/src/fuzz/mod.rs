//! What the fuzzer feeds: each target takes any bytes and panics when
//! something holds that must not. `tests/fuzz` runs them under libFuzzer,
//! `tests/tests/fuzz.rs` over their corpora on every build.

mod address;
mod body;
mod image;
mod model;
mod secrets;
mod text;
mod url;

pub use address::address;
pub use body::{base64, json, multipart};
pub use image::{decode, probe};
pub use model::model_folder;
pub use secrets::{api_key, webhook_secret, webhook_signature};
pub use text::{cursor, idempotency_key, prefer, query, retry_after, trace_parent};
pub use url::url;

/// A target by its name, which is also that of its corpus.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 17] = [
    ("address", address),
    ("api_key", api_key),
    ("base64", base64),
    ("cursor", cursor),
    ("decode", decode),
    ("idempotency_key", idempotency_key),
    ("json", json),
    ("model_folder", model_folder),
    ("multipart", multipart),
    ("prefer", prefer),
    ("probe", probe),
    ("query", query),
    ("retry_after", retry_after),
    ("trace_parent", trace_parent),
    ("url", url),
    ("webhook_secret", webhook_secret),
    ("webhook_signature", webhook_signature),
];
