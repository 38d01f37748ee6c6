//! HTTP in: submit and find jobs, problems out, an OpenAPI document and
//! Swagger UI.
//!
//! What must never happen: a request answered for someone who may not ask, a
//! model loaded here, a caller's URL fetched here, a
//! backend known by name here, a stored type sent to a caller as it is.

mod access;
mod admission;
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
mod signing;
mod tls;
mod view;
mod wait;

pub use access::{Access, AllowedHosts};
pub use app::{admin_app, app, openapi};
pub use context::{ApiState, Context};
pub use document::document;
pub use server::{Listeners, serve};
pub use settings::ApiSettings;
pub use tls::{Tls, TlsError};
