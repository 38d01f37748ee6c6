//! API keys: who may call, for which tenant, and what.
//!
//! A key is a text `aisle_<id>_<secret>`: eight letters or digits that name
//! it, and forty-three that prove it. The secret is random, with more than 32
//! bytes of entropy, so a plain SHA-256 of it can be kept without salt or
//! stretching: there is nothing to guess.
//!
//! What must never happen: a secret in a store, in a log or in `Debug`.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rand::Rng as _;
use rand::distr::Alphanumeric;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::id::IdError;
use super::{TenantId, Timestamp};

/// What every key begins with, so that people and scanners recognise one.
const PREFIX: &str = "aisle_";

/// Letters and digits of an id.
const ID_CHARS: usize = 8;

/// Letters and digits of a secret: 43 · log2(62) = 256.04 bits.
const SECRET_CHARS: usize = 43;

/// Names a key without proving anything: it may be shown and logged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

impl KeyId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if is_random_text(text, ID_CHARS) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError { what: "a key's id", rule: "8 letters or digits" })
        }
    }
}

impl TryFrom<String> for KeyId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A whole key, as its holder has it. `Debug` shows the id only.
#[derive(Clone)]
pub struct KeyText {
    id: KeyId,
    secret: SecretString,
}

impl KeyText {
    /// A fresh key.
    #[must_use]
    pub fn generate() -> Self {
        Self { id: KeyId(random_text(ID_CHARS)), secret: random_text(SECRET_CHARS).into() }
    }

    /// The key's id.
    #[must_use]
    pub const fn id(&self) -> &KeyId {
        &self.id
    }

    /// The hash of its secret, to be kept or compared.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        KeyHash(Sha256::digest(self.secret.expose_secret()).into())
    }

    /// The whole key, for its holder only.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, self.secret.expose_secret())
    }
}

impl FromStr for KeyText {
    type Err = IdError;

    /// Errors do not repeat the text.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let parts = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
        match parts {
            Some((id, secret)) if is_random_text(secret, SECRET_CHARS) => {
                Ok(Self { id: id.parse()?, secret: secret.into() })
            }
            Some(_) | None => {
                Err(IdError { what: "an API key", rule: "aisle_, an id, an underscore, a secret" })
            }
        }
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyText({PREFIX}{}_…)", self.id)
    }
}

fn random_text(chars: usize) -> String {
    // The thread's generator is a ChaCha seeded by the system: fit for secrets.
    rand::rng().sample_iter(Alphanumeric).take(chars).map(char::from).collect()
}

fn is_random_text(text: &str, chars: usize) -> bool {
    text.len() == chars && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The SHA-256 of a key's secret.
#[derive(Clone, Copy)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// What no secret has: compared with where there is no key, so that an
    /// unknown id takes as long as a known one.
    pub const NONE: Self = Self([0; 32]);

    /// The hash from its 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether both are of one secret; takes the same time either way.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl PartialEq for KeyHash {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other)
    }
}

impl Eq for KeyHash {}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Submit jobs.
    JobsWrite,
    /// Read and list jobs and models.
    JobsRead,
    /// Cancel and delete jobs.
    JobsCancel,
    /// Register receivers of webhooks.
    WebhooksManage,
    /// What concerns the whole service: metrics and switches.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] =
        [Self::JobsWrite, Self::JobsRead, Self::JobsCancel, Self::WebhooksManage, Self::Admin];

    /// The word that stands in documents and in the stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JobsWrite => "jobs:write",
            Self::JobsRead => "jobs:read",
            Self::JobsCancel => "jobs:cancel",
            Self::WebhooksManage => "webhooks:manage",
            Self::Admin => "admin",
        }
    }

    /// The scope that a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

/// What a key may be used for, all together: words with commas between. No
/// scope contains another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// Every scope.
    #[must_use]
    pub fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    /// Whether this scope is among them.
    #[must_use]
    pub fn allow(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

impl FromStr for Scopes {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let rule = "one or more of jobs:write, jobs:read, jobs:cancel, webhooks:manage, admin";
        let words = text.split(',').map(|word| Scope::from_word(word.trim()));
        words.collect::<Option<_>>().map(Self).ok_or(IdError { what: "scopes", rule })
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.0.iter().map(|scope| scope.as_str()).collect();
        f.write_str(&words.join(","))
    }
}

/// A key that is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApiKey {
    /// Its id.
    pub id: KeyId,
    /// The hash of its secret.
    pub hash: KeyHash,
    /// What people call it.
    pub name: String,
    /// Whose jobs it opens.
    pub tenant: TenantId,
    /// What it may be used for.
    pub scopes: Scopes,
    /// How long it works; `None` for as long as it is not revoked.
    pub lifetime: Option<Duration>,
    /// The tenant's share of the workers beside other tenants, at least 1.
    pub weight: u32,
    /// Requests a minute; `None` for what the service allows any key.
    pub rate_per_minute: Option<u32>,
}

/// A key as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: KeyId,
    /// The hash of its secret.
    pub hash: KeyHash,
    /// What people call it.
    pub name: String,
    /// Whose jobs it opens.
    pub tenant: TenantId,
    /// What it may be used for.
    pub scopes: Scopes,
    /// The tenant's share of the workers beside other tenants, at least 1.
    pub weight: u32,
    /// Requests a minute; `None` for what the service allows any key.
    pub rate_per_minute: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it works no longer.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// The day (UTC, its first instant) on which it was last used.
    pub last_used_on: Option<Timestamp>,
}

/// Whether a key works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It does.
    Active,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
}

impl ApiKey {
    /// Whether it works at that instant.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> KeyState {
        if self.revoked_at.is_some() {
            KeyState::Revoked
        } else if self.expires_at.is_some_and(|end| end <= now) {
            KeyState::Expired
        } else {
            KeyState::Active
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_text_and_back_and_matches_its_hash() {
        let key = KeyText::generate();
        let again: KeyText = key.reveal().parse().unwrap();
        assert_eq!(again.id(), key.id());
        assert!(again.hash().matches(&key.hash()));
        assert!(!KeyText::generate().hash().matches(&key.hash()));
        assert!(!KeyHash::NONE.matches(&key.hash()));
    }

    #[test]
    fn a_hash_is_the_sha_256_of_the_secret() {
        let key: KeyText = format!("aisle_abcdefgh_{}", "a".repeat(43)).parse().unwrap();
        let hex: String = key.hash().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        // printf 'a%.0s' {1..43} | sha256sum
        assert_eq!(hex, "66d34fba71f8f450f7e45598853e53bfc23bbd129027cbb131a2f4ffd7878cd0");
    }

    #[test]
    fn a_secret_has_thirty_two_bytes_of_entropy() {
        let bits = f64::from(u32::try_from(SECRET_CHARS).unwrap()) * 62_f64.log2();
        assert!(bits >= 256.0, "{bits}");
    }

    #[test]
    fn neither_debug_nor_an_error_shows_a_secret() {
        let key = KeyText::generate();
        let text = key.reveal();
        let secret = text.rsplit('_').next().unwrap();
        assert!(!format!("{key:?} {:?}", key.hash()).contains(secret));
        let error = format!("{text}x").parse::<KeyText>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains(secret));
    }

    #[test]
    fn any_other_text_is_no_key() {
        let key = KeyText::generate().reveal();
        let long = format!("{key}0");
        let foreign = key.replace("aisle_", "sk_live_");
        for text in [
            "",
            "aisle_",
            "aisle__",
            "aisle_abcdefgh_",
            &key[..key.len() - 1],
            &long,
            &foreign,
            &key.to_uppercase(),
            "aisle_äbcdefg_x",
        ] {
            assert!(text.parse::<KeyText>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn scopes_survive_text_and_back() {
        let scopes: Scopes = "jobs:read, jobs:write".parse().unwrap();
        assert!(scopes.allow(Scope::JobsRead) && !scopes.allow(Scope::Admin));
        assert_eq!(scopes.to_string().parse(), Ok(scopes));
        assert_eq!(Scopes::all().to_string().parse(), Ok(Scopes::all()));
        for bad in ["", "jobs", "jobs:read,", "ADMIN"] {
            assert!(bad.parse::<Scopes>().is_err(), "{bad:?}");
        }
    }
}
