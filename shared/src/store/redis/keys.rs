//! Which keys a job's data has, as far as Rust names them; the scripts build
//! the rest from the same prefix (`scripts/parts/prelude.lua`).

use crate::domain::{ItemRef, JobId};

/// A part of the store whose keys all lie in one hash slot. Jobs never span
/// shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard(u16);

impl Shard {
    /// The only shard that there is so far.
    pub(crate) const ONLY: Self = Self(0);

    /// Where a job lives: the one place that decides it.
    pub(crate) const fn of(_job: &JobId) -> Self {
        Self::ONLY
    }

    /// The key that every script declares; it holds the shard's counters.
    pub(crate) fn meta(self) -> String {
        format!("{{aisle:{}}}:meta", self.0)
    }

    /// The channel on which scripts tell what changed.
    pub(crate) fn channel(self) -> String {
        format!("{{aisle:{}}}:changed", self.0)
    }

    /// An uploaded image's key.
    pub(crate) fn blob(self, item: ItemRef) -> String {
        format!("{{aisle:{}}}:b:{item}", self.0)
    }
}
