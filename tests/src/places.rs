//! Where things are: the repository, what the set-up step brought, the large
//! data beside the repository, a port for a server.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where servers of tests listen.
const FIRST_PORT: u32 = 10_000;
const PORTS: u32 = 20_000;

/// The repository's root.
#[must_use]
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The folder beside the repository with real photographs and networks.
/// Says so and answers `None` where it is absent.
#[must_use]
pub fn shared_folder(test: &str) -> Option<PathBuf> {
    let folder = repository().join("../shared");
    if folder.join("models").is_dir() && folder.join("data").is_dir() {
        return Some(folder);
    }
    // Past the test runner, which shows nothing of tests that pass.
    let _ = writeln!(
        std::io::stderr(),
        "skipped {test}: ../shared with real photographs and networks is absent"
    );
    None
}

/// Every file below a folder, in order of path.
///
/// # Panics
/// When a folder cannot be read.
#[must_use]
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        let entries =
            std::fs::read_dir(&next).unwrap_or_else(|error| panic!("{}: {error}", next.display()));
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// The Python of the set-up step, with ONNX Runtime, NumPy and Pillow.
///
/// # Panics
/// When it is absent: the tests that compare with Python cannot do without.
#[must_use]
pub fn python() -> PathBuf {
    let python = repository().join(".runtime/venv/bin/python");
    assert!(python.exists(), "{} is absent: `make setup-tests` brings it", python.display());
    python
}

/// The ONNX Runtime library of the set-up step.
///
/// # Panics
/// When it is absent: no network runs without.
#[must_use]
pub fn runtime_library() -> PathBuf {
    let folder = repository().join(".runtime/onnxruntime");
    let is_library = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libonnxruntime.so")
    };
    let files = if folder.is_dir() { files_below(&folder) } else { Vec::new() };
    let library = files.into_iter().find(is_library);
    library.unwrap_or_else(|| panic!("no library in {}: `make setup` brings it", folder.display()))
}

/// A port that was free a moment ago, and that this process gives once. The
/// system picks those of clients above 32,767, so none of them takes it before
/// a server does.
///
/// # Panics
/// When loopback has none left.
#[must_use]
pub fn free_port() -> u16 {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    // Processes that ask at once begin at different places.
    let begin = std::process::id().wrapping_mul(7_919);
    let mut ports = (0..PORTS).map(|_| {
        let nth = begin.wrapping_add(ASKED.fetch_add(1, Ordering::Relaxed));
        u16::try_from(FIRST_PORT + nth % PORTS).expect("a port")
    });
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.find(is_free).expect("a loopback port")
}
