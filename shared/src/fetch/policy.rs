//! What may be fetched, from where, and how much of it.

use std::net::IpAddr;
use std::time::Duration;

use super::is_public;

/// Limits of the guarded client. The default is the strict one.
#[derive(Debug, Clone)]
pub struct FetchPolicy {
    /// Allow loopback, private and other special addresses, any port, and
    /// hosts without a dot. For shops whose image host is on their own
    /// network, and for tests.
    pub danger_allow_private_networks: bool,
    /// Addresses to allow although they are not public: the narrower way to
    /// reach a shop's own image hosts.
    pub danger_allow_addresses: Vec<IpAddr>,
    /// Ports that a URL may name.
    pub ports: Vec<u16>,
    /// Bytes of a body at most.
    pub max_bytes: u64,
    /// From the start of a hop until its connection stands, name resolution
    /// and TLS included.
    pub connect_timeout: Duration,
    /// From the start of a hop until the head of its answer is there.
    pub first_byte_timeout: Duration,
    /// From the start until the body's last byte, redirects included.
    pub total_timeout: Duration,
    /// Bytes of a body that must arrive within each [`Self::rate_window`].
    pub min_bytes_per_window: u64,
    /// How long a body may stay below the minimum rate.
    pub rate_window: Duration,
    /// Redirects to follow at most.
    pub max_redirects: u32,
}

impl Default for FetchPolicy {
    fn default() -> Self {
        Self {
            danger_allow_private_networks: false,
            danger_allow_addresses: Vec::new(),
            ports: vec![80, 443, 8080, 8443],
            max_bytes: 20 * 1024 * 1024,
            connect_timeout: Duration::from_secs(3),
            first_byte_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(10),
            min_bytes_per_window: 30_000,
            rate_window: Duration::from_secs(3),
            max_redirects: 3,
        }
    }
}

impl FetchPolicy {
    /// Whether a connection to the address may be made.
    #[must_use]
    pub fn allows_address(&self, address: IpAddr) -> bool {
        self.danger_allow_private_networks
            || is_public(address)
            || self.danger_allow_addresses.contains(&address.to_canonical())
    }

    /// Whether a URL may name the port.
    #[must_use]
    pub fn allows_port(&self, port: u16) -> bool {
        self.danger_allow_private_networks || self.ports.contains(&port)
    }
}
