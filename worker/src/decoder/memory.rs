//! How much memory this process may use: that of the machine, or of the
//! control groups that it is in.

use std::fs;
use std::path::{Path, PathBuf};

/// Where control groups are.
const GROUPS: &str = "/sys/fs/cgroup";

/// What is assumed where nothing can be read.
const UNKNOWN: u64 = 2 << 30;

/// Bytes that this process may use.
pub(super) fn available() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let groups = limit_files(Path::new(GROUPS), &own);
    let limits =
        groups.iter().filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok());
    limits.chain(machine).min().unwrap_or(UNKNOWN)
}

/// `MemTotal` of `/proc/meminfo`, which counts in KiB.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// Where limits may stand: in the process's own group and in all above it,
/// as version 2 and version 1 of control groups name them.
fn limit_files(root: &Path, own: &str) -> Vec<PathBuf> {
    let mut files = vec![root.join("memory/memory.limit_in_bytes")];
    for line in own.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(kinds), Some(path)) = (fields.next(), fields.next()) else { continue };
        let (top, file) = match kinds {
            "" => (root.to_path_buf(), "memory.max"),
            _ if kinds.split(',').any(|kind| kind == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let group = top.join(path.trim_start_matches('/'));
        let above = group.ancestors().take_while(|folder| folder.starts_with(&top));
        files.extend(above.map(|folder| folder.join(file)));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_memory_is_read() {
        assert_eq!(total("MemTotal:       16303428 kB\nMemFree: 1 kB\n"), Some(16_303_428 << 10));
        assert!(available() > 64 << 20);
    }

    #[test]
    fn every_group_above_may_hold_the_limit() {
        let files = limit_files(Path::new("/g"), "0::/shop.slice/aisle.service\n");
        let expected =
            ["shop.slice/aisle.service/memory.max", "shop.slice/memory.max", "memory.max"];
        assert_eq!(files[1..], expected.map(|file| Path::new("/g").join(file)));
    }

    #[test]
    fn groups_of_the_first_version_are_read_too() {
        let files = limit_files(Path::new("/g"), "5:cpu:/x\n4:memory,hugetlb:/y\n");
        let expected = ["memory/y/memory.limit_in_bytes", "memory/memory.limit_in_bytes"];
        assert_eq!(files[1..], expected.map(|file| Path::new("/g").join(file)));
    }
}
