//! What a child has given up before it sees an image.

use crate::chunks::png_with;
use crate::rig::{note, noted, notes, seen, settings, start};

fn read(process: u32, what: &str) -> String {
    std::fs::read_to_string(format!("/proc/{process}/{what}")).unwrap()
}

#[test]
fn a_child_runs_without_privileges_files_or_room_to_grow() {
    let (_folder, note) = note();
    let _decoder = start(&settings(noted(&note)));
    let child = notes(&note)[0];
    let status = read(child, "status");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().to_owned()
    };
    assert_eq!(field("NoNewPrivs:"), "1");
    // A filter, where this kernel knows them: 2 of prctl(2), PR_GET_SECCOMP.
    if std::path::Path::new("/proc/sys/kernel/seccomp").exists() {
        assert_eq!(field("Seccomp:"), "2");
    }
    let limits = read(child, "limits");
    let limit = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(read(child, "oom_score_adj").trim(), "500");
    assert_eq!(limit("Max core file size"), "0");
    assert_eq!(limit("Max file size"), "0");
    assert_eq!(limit("Max open files"), "16");
    // The shell in between leaves words of its own there.
    assert!(!read(child, "environ").contains("HOME="), "it knows the environment of its parent");
}

#[test]
fn a_child_keeps_to_the_memory_of_each_image() {
    let (_folder, note) = note();
    let decoder = start(&settings(noted(&note)));
    let child = notes(&note)[0];
    let limit = || {
        let limits = read(child, "limits");
        let line = limits.lines().find(|line| line.starts_with("Max address space")).unwrap();
        line.split_whitespace().nth(3).unwrap().to_owned()
    };
    assert_eq!(limit(), "unlimited");
    seen(&decoder, &png_with(1, &[])).unwrap();
    let of_a_dot: u64 = limit().parse().unwrap();
    seen(&decoder, &png_with(3_000, &[])).unwrap();
    let of_more: u64 = limit().parse().unwrap();
    // Eight bytes for the decoder and three for the copy, for each pixel.
    let more = of_more - of_a_dot;
    assert!((98_000_000..100_000_000).contains(&more), "{more}");
}

/// Whether any are left when the image is done is up to the C library.
#[test]
fn a_child_asks_for_large_pages() {
    let (_folder, note) = note();
    let _decoder = start(&settings(noted(&note)));
    let environment = read(notes(&note)[0], "environ");
    assert!(environment.contains("GLIBC_TUNABLES=glibc.malloc.hugetlb=1"), "{environment}");
}
