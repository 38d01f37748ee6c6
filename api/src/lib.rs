//! HTTP in: submit and find jobs, problems out, an OpenAPI document and
//! Swagger UI.
//!
//! What must never happen: a model loaded here, a caller's URL fetched here, a
//! backend known by name here, a stored type sent to a caller as it is.

mod app;
mod caller;
mod context;
mod document;
mod envelope;
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod intake;
mod lookup;
mod problem;
mod routes;
mod server;
mod settings;
mod view;
mod wait;

pub use app::{app, openapi};
pub use context::{ApiState, Context};
pub use document::document;
pub use server::serve;
pub use settings::ApiSettings;
