//! Where the real networks, photographs and library are.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;

/// What the tests need and a machine may not have.
pub(crate) struct Real {
    pub(crate) models: PathBuf,
    pub(crate) photographs: PathBuf,
    pub(crate) library: PathBuf,
}

impl Real {
    /// Finds them, or prints that the test skips.
    pub(crate) fn find() -> Option<Self> {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
        let shared = repository.parent()?.join("shared");
        let real = Self {
            models: shared.join("models"),
            photographs: shared.join("data/clothing/validation"),
            library: library(&repository.join(".runtime/onnxruntime")).unwrap_or_default(),
        };
        let there = [&real.models, &real.photographs, &real.library].iter().all(|p| p.exists());
        if !there {
            let _ =
                writeln!(std::io::stderr(), "skipped: needs ../shared and .runtime/onnxruntime");
        }
        there.then_some(real)
    }

    /// Photographs of every category, at most `count`.
    pub(crate) fn some_photographs(&self, count: usize) -> Vec<Bytes> {
        let mut folders = files(&self.photographs);
        folders.truncate(10);
        let mut photographs: Vec<PathBuf> =
            folders.iter().flat_map(|f| files(f).into_iter().take(count.div_ceil(10))).collect();
        photographs.truncate(count);
        photographs.iter().map(|file| std::fs::read(file).unwrap().into()).collect()
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort_unstable();
    files
}

fn library(folder: &Path) -> Option<PathBuf> {
    let mut found = folder.read_dir().ok()?.flatten().map(|entry| entry.path());
    found.find(|file| file.to_string_lossy().contains("libonnxruntime.so"))
}
