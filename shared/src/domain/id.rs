//! Identifiers, parsed once at the edge and valid everywhere behind it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

use super::Timestamp;

/// Why a text is no identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {rule}")]
pub struct IdError {
    pub(super) what: &'static str,
    pub(super) rule: &'static str,
}

/// A job's id: a UUID version 7 (RFC 9562), so ids sort by creation time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(Uuid);

impl JobId {
    /// A fresh id for a job created now.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// The least id of a job created then: the first 48 bits of a UUID version
    /// 7 are milliseconds since the Unix epoch (RFC 9562, section 5.7).
    #[must_use]
    pub const fn earliest(created_at: Timestamp) -> Self {
        Self(Builder::from_unix_timestamp_millis(created_at.0, &[0; 10]).into_uuid())
    }

    /// A fresh id for a job that a caller's key stands for. All such ids of one
    /// tenant's key have the same [`route`](Self::route), so that a store of
    /// many parts finds the job of an earlier request where it would write
    /// this one.
    #[must_use]
    pub fn for_key(tenant: &TenantId, key: &str) -> Self {
        let mut bytes = Uuid::now_v7().into_bytes();
        let [.., high, low] = &mut bytes;
        [*high, *low] = key_route(tenant, key).to_be_bytes();
        Self(Uuid::from_bytes(bytes))
    }

    /// What a store of many parts places the job by: the id's last 16 bits,
    /// random unless a caller's key decides them.
    #[must_use]
    pub const fn route(&self) -> u16 {
        let [.., high, low] = *self.0.as_bytes();
        u16::from_be_bytes([high, low])
    }

    /// Whether the id is of those that [`for_key`](Self::for_key) makes.
    #[must_use]
    pub fn is_for_key(&self, tenant: &TenantId, key: &str) -> bool {
        self.route() == key_route(tenant, key)
    }

    /// The id as a UUID.
    #[must_use]
    pub const fn as_uuid(&self) -> &Uuid {
        &self.0
    }
}

/// The first 16 bits of the SHA-256 of both; a tenant's name holds no colon.
fn key_route(tenant: &TenantId, key: &str) -> u16 {
    let digest: [u8; 32] = Sha256::digest(format!("{tenant}:{key}")).into();
    let [high, low, ..] = digest;
    u16::from_be_bytes([high, low])
}

impl TryFrom<Uuid> for JobId {
    type Error = IdError;

    fn try_from(uuid: Uuid) -> Result<Self, IdError> {
        if uuid.get_version_num() == 7 {
            Ok(Self(uuid))
        } else {
            Err(IdError { what: "a job id", rule: "a UUID of version 7" })
        }
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl FromStr for JobId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = IdError { what: "a job id", rule: "a hyphenated UUID of version 7" };
        match Uuid::try_parse(text) {
            Ok(uuid) if uuid.get_version_num() == 7 && text.len() == 36 => Ok(Self(uuid)),
            Ok(_) | Err(_) => Err(error),
        }
    }
}

/// One image of a job: the unit that is claimed, retried and recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ItemRef {
    /// The job that the item belongs to.
    pub job: JobId,
    /// Its place in the job, from 0.
    pub index: u32,
}

impl fmt::Display for ItemRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.job, self.index)
    }
}

impl FromStr for ItemRef {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = IdError { what: "an item reference", rule: "a job id, a dot and an index" };
        let (job, index) = text.rsplit_once('.').ok_or_else(|| error.clone())?;
        Ok(Self { job: job.parse()?, index: index.parse().map_err(|_| error)? })
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $max:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let allowed: fn(char) -> bool = $allowed;
                let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
                if starts_well && text.len() <= $max && text.chars().all(allowed) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError { what: $what, rule: $rule })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

pub(super) use name_type;

name_type!(
    /// A model's name: that of its folder.
    ModelName,
    "a model name",
    "1 to 100 letters, digits, dots, dashes or underscores, a letter or digit first",
    100,
    |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
);

name_type!(
    /// Whose job it is. Tenants cannot see each other's jobs.
    TenantId,
    "a tenant",
    "1 to 64 letters, digits, dashes or underscores, a letter or digit first",
    64,
    |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
);

name_type!(
    /// A worker process, unique for each start.
    WorkerId,
    "a worker id",
    "1 to 100 letters, digits, dots, dashes or underscores, a letter or digit first",
    100,
    |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
);

impl TenantId {
    /// The tenant of a service that runs without keys.
    #[must_use]
    pub fn default_tenant() -> Self {
        Self("default".to_owned())
    }
}

impl WorkerId {
    /// A fresh id for a worker that starts now.
    #[must_use]
    pub fn generate() -> Self {
        Self(format!("w-{}", Uuid::now_v7().as_simple()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_id_survives_text_and_back() {
        let id = JobId::generate();
        assert_eq!(id.to_string().parse::<JobId>(), Ok(id));
    }

    #[test]
    fn a_uuid_of_another_version_is_no_job_id() {
        assert!("6ba7b810-9dad-41d1-80b4-00c04fd430c8".parse::<JobId>().is_err());
        assert!("not-a-uuid".parse::<JobId>().is_err());
    }

    #[test]
    fn an_item_reference_survives_text_and_back() {
        let item = ItemRef { job: JobId::generate(), index: 41 };
        assert_eq!(item.to_string().parse::<ItemRef>(), Ok(item));
    }

    #[test]
    fn a_model_name_cannot_climb_out_of_its_folder() {
        assert!("mobilenet-v2".parse::<ModelName>().is_ok());
        for bad in ["", "..", "../x", "a/b", ".hidden", "a b", "a\0"] {
            assert!(bad.parse::<ModelName>().is_err(), "{bad:?}");
        }
    }
}
