//! Room on a disk: how much has to stay free.

use std::io;
use std::path::Path;

/// One gibibyte…
const USUAL_BYTES: u64 = 1024 * 1024 * 1024;

/// …or this part of the disk, whichever is more.
const USUAL_PART: u64 = 20;

/// How much of a disk has to stay free for what is already there: without it,
/// nothing more is taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserve(Option<u64>);

impl Reserve {
    /// The larger of 1 GiB and 5 % of the disk.
    pub const USUAL: Self = Self(None);

    /// Nothing.
    pub const NONE: Self = Self(Some(0));

    /// So many bytes.
    #[must_use]
    pub const fn of_bytes(bytes: u64) -> Self {
        Self(Some(bytes))
    }

    /// The bytes to keep free of a disk with so many.
    #[must_use]
    pub fn of(self, total: u64) -> u64 {
        self.0.unwrap_or(USUAL_BYTES.max(total / USUAL_PART))
    }

    /// Why nothing more is to be written into a folder, if that is so.
    ///
    /// # Errors
    /// When the disk cannot be asked.
    pub fn breach(self, folder: &Path) -> io::Result<Option<String>> {
        let Space { free, total } = Space::of(folder)?;
        let keep = self.of(total);
        Ok((free < keep).then(|| format!("{free} bytes are free, {keep} are kept so")))
    }
}

/// The room on a folder's disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// What this process may still write.
    pub free: u64,
    /// The whole disk.
    pub total: u64,
}

impl Space {
    /// Asks the file system.
    ///
    /// # Errors
    /// When it does not say.
    pub fn of(folder: &Path) -> io::Result<Self> {
        let stat = rustix::fs::statvfs(folder)?;
        Ok(Self {
            free: stat.f_bavail.saturating_mul(stat.f_frsize),
            total: stat.f_blocks.saturating_mul(stat.f_frsize),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_reserve_is_a_gibibyte_and_grows_with_the_disk() {
        assert_eq!(Reserve::USUAL.of(USUAL_BYTES), USUAL_BYTES);
        assert_eq!(Reserve::USUAL.of(100 * USUAL_BYTES), 5 * USUAL_BYTES);
        assert_eq!(Reserve::of_bytes(7).of(100 * USUAL_BYTES), 7);
    }

    #[test]
    fn a_disk_below_its_reserve_is_told_with_the_numbers() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Reserve::NONE.breach(folder.path()).unwrap(), None);
        let breach = Reserve::of_bytes(u64::MAX).breach(folder.path()).unwrap();
        assert!(breach.is_some_and(|breach| breach.contains(&u64::MAX.to_string())));
    }
}
