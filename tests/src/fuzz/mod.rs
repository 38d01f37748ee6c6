//! What the fuzzer feeds: each target takes any bytes and panics when
//! something holds that must not. `tests/fuzz` runs them under libFuzzer,
//! `tests/tests/fuzz.rs` over their corpora on every build.

mod address;
mod body;
mod image;
mod model;
mod text;
mod url;

pub use address::address;
pub use body::{base64, json, multipart};
pub use image::{decode, probe};
pub use model::model_folder;
pub use text::{cursor, prefer, query, trace_parent};
pub use url::url;

/// A target by its name, which is also that of its corpus.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 12] = [
    ("address", address),
    ("base64", base64),
    ("cursor", cursor),
    ("decode", decode),
    ("json", json),
    ("model_folder", model_folder),
    ("multipart", multipart),
    ("prefer", prefer),
    ("probe", probe),
    ("query", query),
    ("trace_parent", trace_parent),
    ("url", url),
];
