//! Which addresses are public, told a second time: by the names that the
//! standard library has for special ranges and by plain comparisons, where
//! the policy has a table of prefixes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use aisle_shared::fetch::is_public;

/// The first four bytes as an IPv4 address, and the first sixteen as IPv6:
/// the policy must judge them as this module does.
///
/// # Panics
/// When it does not.
pub fn address(bytes: &[u8]) {
    if let Some((v4, _)) = bytes.split_first_chunk::<4>() {
        agree(Ipv4Addr::from(*v4).into());
        // Hidden in IPv6 in each way that routers and translators know.
        let bits = u128::from(u32::from_be_bytes(*v4));
        let mapped = Ipv6Addr::from(0xffff_u128 << 32 | bits);
        assert_eq!(is_public(mapped.into()), public_v4(Ipv4Addr::from(*v4)), "{mapped}");
        for hidden in [
            bits,
            0x64_ff9b_u128 << 96 | bits,
            0x2002_u128 << 112 | bits << 80,
            0x2001_u128 << 112 | (!bits & 0xffff_ffff),
            0x2606_4700_u128 << 96 | 0x5efe_u128 << 32 | bits,
            0x2606_4700_u128 << 96 | 0x0200_5efe_u128 << 32 | bits,
        ] {
            let hidden = Ipv6Addr::from(hidden);
            assert!(!is_public(hidden.into()), "{hidden}");
        }
    }
    if let Some((v6, _)) = bytes.split_first_chunk::<16>() {
        agree(Ipv6Addr::from(*v6).into());
    }
}

fn agree(address: IpAddr) {
    assert_eq!(is_public(address), public(address), "{address}");
}

/// Whether an address is on the open internet.
pub(super) fn public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => public_v4(v4),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => public_v4(v4),
            None => public_v6(v6),
        },
    }
}

fn public_v4(address: Ipv4Addr) -> bool {
    let special = address.is_unspecified()
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_multicast()
        || address.is_documentation();
    let other = match address.octets() {
        // This network, carrier-grade translation, IETF protocols, benchmarks, class E.
        [0, ..] | [100, 64..=127, ..] | [192, 0, 0, _] | [198, 18 | 19, ..] | [240..=255, ..] => {
            true
        }
        // AS112, AMT, 6to4 relays, direct delegation of AS112.
        [192, 31, 196, _] | [192, 52, 193, _] | [192, 88, 99, _] | [192, 175, 48, _] => true,
        // Azure's own.
        [168, 63, 129, 16] => true,
        _ => false,
    };
    !special && !other
}

fn public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // Teredo and other protocols of the IETF, documentation, 6to4.
        [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x2002, ..] | [0x3fff, 0..=0x0fff, ..] => false,
        // AS112.
        [0x2620, 0x004f, 0x8000, ..] => false,
        // ISATAP.
        [_, _, _, _, 0 | 0x0200, 0x5efe, _, _] => false,
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}
