//! Processes whose wall clock is not the machine's, by libfaketime where the
//! machine has it. Their monotonic clock stays right, as it does when a real
//! clock is set.

use std::path::{Path, PathBuf};

/// Where Debian, Fedora and others put it.
const PLACES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// Environment variables of a process.
pub type Environment = Vec<(&'static str, String)>;

/// A clock that is off by so much, such as `+2h`; `None` without libfaketime.
#[must_use]
pub fn fixed(offset: &str) -> Option<Environment> {
    let mut environment = preloaded()?;
    environment.push(("FAKETIME", offset.to_owned()));
    Some(environment)
}

/// A clock that is off by what stands in a file, which may change at any time.
#[must_use]
pub fn from_file(path: &Path) -> Option<Environment> {
    let mut environment = preloaded()?;
    environment.push(("FAKETIME_TIMESTAMP_FILE", path.display().to_string()));
    environment.push(("FAKETIME_NO_CACHE", "1".to_owned()));
    Some(environment)
}

fn preloaded() -> Option<Environment> {
    let library = PLACES.iter().map(PathBuf::from).find(|path| path.exists())?;
    Some(vec![
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ])
}
