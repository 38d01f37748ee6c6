//! What may be fetched, from where, and how much of it.

use std::time::Duration;

/// Limits of the guarded client. The default is the strict one.
#[derive(Debug, Clone)]
pub struct FetchPolicy {
    /// Allow loopback, private and other special addresses, any port, and
    /// hosts without a dot. For shops whose image host is on their own
    /// network, and for tests.
    pub danger_allow_private_networks: bool,
    /// Bytes of a body at most.
    pub max_bytes: u64,
    /// From the start until a connection stands.
    pub connect_timeout: Duration,
    /// From the request until the answer's first byte.
    pub first_byte_timeout: Duration,
    /// From the start until the body's last byte, redirects included.
    pub total_timeout: Duration,
    /// Redirects to follow at most.
    pub max_redirects: u32,
}

impl Default for FetchPolicy {
    fn default() -> Self {
        Self {
            danger_allow_private_networks: false,
            max_bytes: 20 * 1024 * 1024,
            connect_timeout: Duration::from_secs(3),
            first_byte_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(10),
            max_redirects: 3,
        }
    }
}
