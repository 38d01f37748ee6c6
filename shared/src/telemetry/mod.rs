//! Logs and metrics: set up once, at the start of a process.

mod logging;
mod measures;

pub use logging::{LogFormat, LoggingError, init_logging};
pub use measures::{MetricsError, MetricsHandle, install_metrics};
