//! Where a database may lie. SQLite's write-ahead log needs memory shared
//! between processes and locks that hold, and network file systems give
//! neither: on one the file would be damaged, so it is refused.

use std::path::Path;

use crate::store::StoreError;

/// Refuses a folder on a network file system.
pub(super) fn refuse_network(folder: &Path) -> Result<(), StoreError> {
    let shown = folder.display();
    let stat = rustix::fs::statfs(folder)
        .map_err(|error| StoreError::Config(format!("{shown} cannot be examined: {error}")))?;
    match network_file_system(stat.f_type as u64) {
        None => Ok(()),
        Some(name) => Err(StoreError::Config(format!(
            "{shown} lies on {name}: a SQLite store must lie on a local disk; \
             processes on several hosts share a Redis store"
        ))),
    }
}

/// The name of a network file system, by its `f_type` (statfs(2)).
fn network_file_system(f_type: u64) -> Option<&'static str> {
    // Some architectures have a signed 32-bit `f_type`.
    match f_type & 0xffff_ffff {
        0x6969 => Some("NFS"),
        0x517b => Some("SMB"),
        0xff53_4d42 => Some("CIFS"),
        0xfe53_4d42 => Some("SMB 2"),
        0x5346_414f | 0x6b41_4653 => Some("AFS"),
        0x7375_7245 => Some("Coda"),
        0x00c3_6400 => Some("Ceph"),
        0x0bd0_0bd0 => Some("Lustre"),
        0x4750_4653 => Some("GPFS"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_and_local_ones_are_not_refused() {
        let ext4 = 0xef53;
        assert_eq!(network_file_system(0x6969), Some("NFS"));
        assert_eq!(network_file_system(0xff53_4d42_u32 as i32 as u64), Some("CIFS"));
        assert_eq!(network_file_system(ext4), None);
    }

    #[test]
    fn a_temporary_folder_is_accepted() {
        let folder = tempfile::tempdir().unwrap();
        refuse_network(folder.path()).unwrap();
    }
}
