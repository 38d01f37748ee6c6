//! Keeps secrets sealed while they are stored: XChaCha20-Poly1305
//! (draft-irtf-cfrg-xchacha-03) with the endpoint as associated data, so that a
//! sealed secret which is moved to another endpoint does not open.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand::Rng;
use zeroize::Zeroizing;

use super::Secret;
use crate::domain::{EndpointId, SealedSecret, TenantId};

/// What a sealed secret's text begins with, so that another cipher may follow.
const PREFIX: &str = "x1:";

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// Why a text is no master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret key is the base64 of {KEY_BYTES} bytes, such as `openssl rand -base64 32` makes")]
pub struct MasterKeyError;

/// A key that seals secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey(Zeroizing<[u8; KEY_BYTES]>);

impl MasterKey {
    /// A fresh key.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        rand::rng().fill(bytes.as_mut_slice());
        Self(bytes)
    }

    /// Reads padded base64.
    ///
    /// # Errors
    /// When the text is no key.
    pub fn parse(text: &str) -> Result<Self, MasterKeyError> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| MasterKeyError)?);
        let key = <[u8; KEY_BYTES]>::try_from(bytes.as_slice()).map_err(|_| MasterKeyError)?;
        Ok(Self(Zeroizing::new(key)))
    }

    /// Reads keys with commas between them, at least one.
    ///
    /// # Errors
    /// When one of them is no key.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, MasterKeyError> {
        text.split(',').map(Self::parse).collect()
    }

    /// The text to keep it as.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.0.as_slice()))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// Why a secret could not be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// None of the keys fits, or the sealed text was changed or moved.
    #[error("no secret key opens the secret")]
    Unopened,
    /// The cipher refused.
    #[error("the secret could not be sealed")]
    Unsealed,
}

/// Seals secrets with its first key, and opens what any of its keys sealed. So
/// a new key goes in front of the old one, which stays until every secret that
/// it sealed has been rotated away.
pub struct Vault {
    first: XChaCha20Poly1305,
    others: Vec<XChaCha20Poly1305>,
}

impl Vault {
    /// A vault with these keys; `None` without any.
    #[must_use]
    pub fn new(keys: &[MasterKey]) -> Option<Self> {
        let mut ciphers = keys.iter().map(|key| XChaCha20Poly1305::new((&*key.0).into()));
        Some(Self { first: ciphers.next()?, others: ciphers.collect() })
    }

    /// Seals an endpoint's secret.
    ///
    /// # Errors
    /// [`VaultError::Unsealed`], which a text as short as a secret never is.
    pub fn seal(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        secret: &Secret,
    ) -> Result<SealedSecret, VaultError> {
        let mut nonce = [0; NONCE_BYTES];
        rand::rng().fill(&mut nonce);
        let place = place(tenant, endpoint);
        let payload = Payload { msg: secret.bytes(), aad: &place };
        let sealed = self.first.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| VaultError::Unsealed)?;
        Ok(SealedSecret(format!("{PREFIX}{}", STANDARD.encode([&nonce[..], &sealed].concat()))))
    }

    /// Opens an endpoint's secret.
    ///
    /// # Errors
    /// [`VaultError::Unopened`] when it is none that a key of the vault sealed
    /// for that endpoint.
    pub fn open(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        sealed: &SealedSecret,
    ) -> Result<Secret, VaultError> {
        let unopened = VaultError::Unopened;
        let encoded = sealed.0.strip_prefix(PREFIX).ok_or(unopened)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| unopened)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(unopened)?;
        let place = place(tenant, endpoint);
        let opened = std::iter::once(&self.first).chain(&self.others).find_map(|key| {
            key.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &place }).ok()
        });
        Secret::from_bytes(opened.ok_or(unopened)?).map_err(|_| unopened)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({} keys)", 1 + self.others.len())
    }
}

/// Neither name may hold a zero byte, so no two places read alike.
fn place(tenant: &TenantId, endpoint: &EndpointId) -> Vec<u8> {
    format!("aisle webhook secret\0{tenant}\0{endpoint}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(keys: &[&MasterKey]) -> Vault {
        let keys: Vec<_> = keys.iter().map(|key| (*key).clone()).collect();
        Vault::new(&keys).unwrap()
    }

    fn shop() -> (TenantId, EndpointId) {
        ("shop".parse().unwrap(), EndpointId::generate())
    }

    #[test]
    fn a_secret_comes_out_as_it_went_in_and_is_not_seen_between() {
        let (tenant, endpoint) = shop();
        let (vault, secret) = (vault(&[&MasterKey::generate()]), Secret::generate());
        let sealed = vault.seal(&tenant, &endpoint, &secret).unwrap();
        assert_eq!(vault.open(&tenant, &endpoint, &sealed), Ok(secret.clone()));
        assert_ne!(vault.seal(&tenant, &endpoint, &secret).unwrap(), sealed);
        let shown = secret.reveal();
        assert!(!sealed.0.contains(&shown["whsec_".len()..]));
    }

    #[test]
    fn a_sealed_secret_opens_at_its_own_endpoint_only() {
        let (tenant, endpoint) = shop();
        let vault = vault(&[&MasterKey::generate()]);
        let sealed = vault.seal(&tenant, &endpoint, &Secret::generate()).unwrap();
        let stranger = "stranger".parse().unwrap();
        assert_eq!(vault.open(&stranger, &endpoint, &sealed), Err(VaultError::Unopened));
        let other = EndpointId::callbacks();
        assert_eq!(vault.open(&tenant, &other, &sealed), Err(VaultError::Unopened));
    }

    #[test]
    fn a_new_key_in_front_seals_and_the_old_one_behind_still_opens() {
        let (tenant, endpoint) = shop();
        let (old, new) = (MasterKey::generate(), MasterKey::generate());
        let secret = Secret::generate();
        let before = vault(&[&old]).seal(&tenant, &endpoint, &secret).unwrap();
        let after = vault(&[&new, &old]).seal(&tenant, &endpoint, &secret).unwrap();
        for (keys, sealed, opens) in [
            (&[&new, &old][..], &before, true),
            (&[&new, &old], &after, true),
            (&[&new], &before, false),
            (&[&new], &after, true),
            (&[&old], &after, false),
        ] {
            assert_eq!(vault(keys).open(&tenant, &endpoint, sealed).is_ok(), opens);
        }
    }

    #[test]
    fn a_changed_text_does_not_open() {
        let (tenant, endpoint) = shop();
        let vault = vault(&[&MasterKey::generate()]);
        let SealedSecret(sealed) = vault.seal(&tenant, &endpoint, &Secret::generate()).unwrap();
        let last = sealed.len() - 8;
        let changed = if sealed.as_bytes()[last] == b'A' { "B" } else { "A" };
        let changed = format!("{}{changed}{}", &sealed[..last], &sealed[last + 1..]);
        for text in ["", "x1:", "x1:AAAA", &sealed[3..], &changed] {
            let opened = vault.open(&tenant, &endpoint, &SealedSecret(text.to_owned()));
            assert_eq!(opened, Err(VaultError::Unopened), "{text}");
        }
    }

    #[test]
    fn a_list_of_keys_survives_text_and_no_key_prints() {
        let keys = [MasterKey::generate(), MasterKey::generate()];
        let text = format!("{}, {}\n", *keys[0].reveal(), *keys[1].reveal());
        assert_eq!(MasterKey::parse_list(&text).unwrap(), keys);
        assert_eq!(format!("{:?}", keys[0]), "MasterKey(…)");
        assert!(Vault::new(&[]).is_none());
        for bad in ["", ",", "AAAA", "x", &format!("{},", *keys[0].reveal())] {
            assert_eq!(MasterKey::parse_list(bad), Err(MasterKeyError), "{bad}");
        }
    }
}
