//! What an operator may choose about the API.

use std::time::Duration;

use aisle_shared::domain::ModelName;
use aisle_shared::fetch::FetchPolicy;
use aisle_shared::image_probe::ImageLimits;

use crate::access::{Access, AllowedHosts};
use crate::tls::Tls;

/// Limits and defaults of the HTTP API, and who may use it.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// Who may call.
    pub access: Access,
    /// Names under which anyone may call.
    pub allowed_hosts: AllowedHosts,
    /// Encrypts what callers send and get; without it, HTTP is plain.
    pub tls: Option<Tls>,
    /// Whether callers find `/metrics` beside the jobs. What an
    /// administrator's listener answers does not depend on it.
    pub metrics: bool,
    /// The model of jobs that name none. Without it, the first announced
    /// model by name.
    pub default_model: Option<ModelName>,
    /// How long a job can be read after it has ended.
    pub retention: Duration,
    /// Claims that an image may use before it is given up, at least 1.
    pub max_attempts: u32,
    /// What an uploaded image may be.
    pub image_limits: ImageLimits,
    /// What an image's URL may be, as far as can be told without fetching it.
    pub fetch_policy: FetchPolicy,
    /// Uploaded images of one job at most.
    pub max_files: usize,
    /// Images of one job at most, uploaded or named by URL.
    pub max_items: usize,
    /// Bytes of one multipart request at most.
    pub max_upload_bytes: u64,
    /// Bytes of one JSON request at most.
    pub max_json_bytes: u64,
    /// Requests whose bodies are read, and then written with their job, at the
    /// same time at most; others wait.
    pub max_uploads: usize,
    /// How long a request's body may take at most.
    pub upload_within: Duration,
    /// Jobs that a caller may submit a minute; 0 for as many as it likes.
    pub rate_per_minute: u32,
    /// How long a caller's own name for a request is remembered.
    pub idempotency_keep: Duration,
    /// How long a request may wait for its job at most.
    pub wait_max: Duration,
    /// Threads that serve HTTP; without it, one for each processor.
    pub http_threads: Option<usize>,
    /// How long requests may take to end once the service stops.
    pub shutdown_grace: Duration,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            access: Access::default(),
            allowed_hosts: AllowedHosts::default(),
            tls: None,
            metrics: true,
            default_model: None,
            retention: Duration::from_secs(7 * 24 * 60 * 60),
            max_attempts: 5,
            image_limits: ImageLimits::default(),
            fetch_policy: FetchPolicy::default(),
            max_files: 1_000,
            max_items: 10_000,
            max_upload_bytes: 256 * 1024 * 1024,
            max_json_bytes: 32 * 1024 * 1024,
            max_uploads: 64,
            upload_within: Duration::from_secs(60),
            rate_per_minute: 0,
            idempotency_keep: Duration::from_secs(24 * 60 * 60),
            wait_max: Duration::from_secs(60),
            http_threads: None,
            shutdown_grace: Duration::from_secs(20),
        }
    }
}
