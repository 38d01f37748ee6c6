//! Peers that keep on sending wrong keys.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong keys that a peer may send within [`WINDOW`].
const MOST: u32 = 10;

/// How long a wrong key is held against its peer.
const WINDOW: Duration = Duration::from_secs(60);

/// Peers that are remembered at most.
const PEERS: usize = 10_000;

/// Counts wrong keys by peer, in this process. The peer is who has opened
/// the connection: behind a proxy, the proxy.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<HashMap<IpAddr, Recent>>);

#[derive(Debug, Clone, Copy)]
struct Recent {
    count: u32,
    since: Instant,
}

impl Failures {
    /// How long the peer has to wait, if it has sent too many.
    pub(super) fn wait(&self, peer: IpAddr, now: Instant) -> Option<Duration> {
        let recent = self.peers().get(&network(peer)).copied()?;
        let left = WINDOW.checked_sub(now.saturating_duration_since(recent.since))?;
        (recent.count >= MOST && !left.is_zero()).then_some(left)
    }

    /// Notes a wrong key.
    pub(super) fn note(&self, peer: IpAddr, now: Instant) {
        let peer = network(peer);
        let mut peers = self.peers();
        let over = |recent: &Recent| now.saturating_duration_since(recent.since) >= WINDOW;
        if peers.len() >= PEERS && !peers.contains_key(&peer) {
            peers.retain(|_, recent| !over(recent));
            if peers.len() >= PEERS {
                return;
            }
        }
        let recent = peers.entry(peer).or_insert(Recent { count: 0, since: now });
        if over(recent) {
            *recent = Recent { count: 0, since: now };
        }
        recent.count = recent.count.saturating_add(1);
    }

    fn peers(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, Recent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one caller can easily have of addresses: of IPv6 a whole /64.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_peer_waits_after_ten_wrong_keys_until_the_minute_is_over() {
        let (failures, start) = (Failures::default(), Instant::now());
        let (mine, other) = (peer("192.0.2.1"), peer("192.0.2.2"));
        for _ in 0..MOST {
            assert_eq!(failures.wait(mine, start), None);
            failures.note(mine, start);
        }
        assert_eq!(failures.wait(mine, start), Some(WINDOW));
        assert_eq!(failures.wait(other, start), None);
        assert_eq!(failures.wait(mine, start + WINDOW), None);
        failures.note(mine, start + WINDOW);
        assert_eq!(failures.wait(mine, start + WINDOW), None);
    }

    #[test]
    fn addresses_that_one_caller_has_together_count_together() {
        let (failures, now) = (Failures::default(), Instant::now());
        for last in 0..MOST {
            failures.note(peer(&format!("2001:db8::{last}")), now);
        }
        assert!(failures.wait(peer("2001:db8::ffff"), now).is_some());
        assert!(failures.wait(peer("2001:db8:0:1::1"), now).is_none());
        for _ in 0..MOST {
            failures.note(peer("::ffff:192.0.2.1"), now);
        }
        assert!(failures.wait(peer("192.0.2.1"), now).is_some());
    }

    #[test]
    fn memory_stays_small_whoever_calls() {
        let (failures, start) = (Failures::default(), Instant::now());
        for index in 0..u32::try_from(PEERS).unwrap() + 10 {
            failures.note(IpAddr::V4(index.into()), start);
        }
        assert_eq!(failures.peers().len(), PEERS);
        failures.note(peer("192.0.2.1"), start + WINDOW);
        assert_eq!(failures.peers().len(), 1);
    }
}
