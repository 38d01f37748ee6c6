//! A secret that signs.
//!
//! What must never happen: its bytes in a log. [`Secret::reveal`] is the only
//! way to its text.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::Rng;
use zeroize::Zeroizing;

/// What a secret's text begins with.
const PREFIX: &str = "whsec_";

/// Bytes that a secret may have.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// Bytes of a secret that is made here.
const LENGTH: usize = 32;

/// Why a text is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret is {PREFIX} and the base64 of {} to {} bytes", LENGTHS.start(), LENGTHS.end())]
pub struct SecretError;

/// A symmetric signing secret: 24 to 64 random bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// A fresh secret.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new(vec![0; LENGTH]);
        rand::rng().fill(bytes.as_mut_slice());
        Self(bytes)
    }

    /// Reads `whsec_` and padded base64.
    ///
    /// # Errors
    /// When the text is no secret.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(SecretError)?;
        Self::from_bytes(STANDARD.decode(encoded).map_err(|_| SecretError)?)
    }

    pub(super) fn from_bytes(bytes: Vec<u8>) -> Result<Self, SecretError> {
        let bytes = Zeroizing::new(bytes);
        if LENGTHS.contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(SecretError) }
    }

    /// The text that its owner verifies with.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(self.bytes()))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_survives_text_and_back() {
        let secret = Secret::generate();
        assert_eq!(Secret::parse(&secret.reveal()), Ok(secret.clone()));
        assert_ne!(secret, Secret::generate());
        assert_eq!(secret.bytes().len(), LENGTH);
    }

    #[test]
    fn a_secret_has_24_to_64_bytes_behind_its_prefix() {
        let of = |length: usize| format!("whsec_{}", STANDARD.encode(vec![7; length]));
        for length in [24, 32, 64] {
            assert!(Secret::parse(&of(length)).is_ok(), "{length}");
        }
        for length in [0, 23, 65] {
            assert!(Secret::parse(&of(length)).is_err(), "{length}");
        }
        let bare = STANDARD.encode([7; 32]);
        for text in [bare.as_str(), "whsec_", "whsec_!", "whpk_AAAA", ""] {
            assert!(Secret::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_secret_does_not_print() {
        let secret = Secret::generate();
        let printed = format!("{secret:?}");
        assert!(!secret.reveal().contains(&printed) && printed == "Secret(…)");
    }
}
