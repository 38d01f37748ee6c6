//! Which URLs may receive webhooks: those that an image may be fetched from,
//! if they are encrypted.

use crate::domain::Callback;
use crate::fetch::{FetchPolicy, Target, TargetError};

/// Parses and checks a receiver's URL. It must be `https`; `http` is taken
/// only where private networks are allowed.
///
/// # Errors
/// When it is no URL, breaks the policy, or is not encrypted.
pub fn receiver(url: &str, policy: &FetchPolicy) -> Result<Target, TargetError> {
    let target = Target::parse(url, policy)?;
    if target.url().scheme() == "https" || policy.danger_allow_private_networks {
        Ok(target)
    } else {
        Err(TargetError("the scheme must be https".to_owned()))
    }
}

/// The receiver that a job names.
///
/// # Errors
/// As [`receiver`].
pub fn callback(url: &str, policy: &FetchPolicy) -> Result<Callback, TargetError> {
    let target = receiver(url, policy)?;
    let origin = target.url().origin().ascii_serialization();
    Ok(Callback { url: target.url().as_str().to_owned(), origin })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_encrypted_and_public() {
        let policy = FetchPolicy::default();
        assert!(receiver("https://shop.example/hooks?token=x", &policy).is_ok());
        for refused in [
            "http://shop.example/hooks",
            "https://127.0.0.1/hooks",
            "https://localhost/hooks",
            "https://user:password@shop.example/",
            "ftp://shop.example/",
            "",
        ] {
            assert!(receiver(refused, &policy).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_shop_on_its_own_network_may_go_without_encryption() {
        let policy = FetchPolicy { danger_allow_private_networks: true, ..FetchPolicy::default() };
        assert!(receiver("http://127.0.0.1:9000/hooks", &policy).is_ok());
    }

    #[test]
    fn callbacks_of_one_host_and_port_have_one_origin() {
        let policy = FetchPolicy::default();
        let origin = |url| callback(url, &policy).unwrap().origin;
        assert_eq!(origin("https://shop.example/a?b#c"), "https://shop.example");
        assert_eq!(origin("https://SHOP.example:443/d"), "https://shop.example");
        assert_ne!(origin("https://shop.example:8443/a"), "https://shop.example");
        let url = callback("https://SHOP.example/a?b#c", &policy).unwrap().url;
        assert_eq!(url, "https://shop.example/a?b");
    }
}
