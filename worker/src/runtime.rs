//! The ONNX Runtime library, loaded from the file that the settings name.
//!
//! It allows one environment in a process and never a second, not even after
//! the first was dropped: hence the one global of this crate.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;
use sha2::{Digest as _, Sha256};

static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

/// How the files begin that belong to a library.
const PARTS: [&str; 2] = ["libonnxruntime", "libopenvino"];

/// Why the library cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// There is no such file.
    #[error(
        "there is no ONNX Runtime library at {}: it is the file libonnxruntime.so.* of the \
         Python package onnxruntime, in its folder capi",
        .0.display()
    )]
    Missing(PathBuf),
    /// The file is no ONNX Runtime that this program can use.
    #[error("the ONNX Runtime library cannot be loaded: {0}")]
    Library(#[from] ort::LoadDynamicError),
    /// The library did not start.
    #[error("ONNX Runtime did not start: {0}")]
    Start(#[from] ort::Error),
}

/// The process's environment; the first call decides which library it is.
///
/// # Errors
/// When the library is missing, of the wrong kind, or does not start.
pub(crate) fn environment(library: &Path) -> Result<Environment, RuntimeError> {
    let mut shared = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = &*shared {
        return Ok(environment.clone());
    }
    // The whole path, because the loader would look for a relative one elsewhere.
    let library = library.canonicalize().map_err(|_| RuntimeError::Missing(library.to_owned()))?;
    // Nothing of what runs is reported. This alone comes too late for the first message,
    // which the environment variable ORT_DISABLE_TELEMETRY holds back.
    let builder = ort::init_from(library)?.with_name("aisle").with_telemetry(false);
    let environment = builder.build()?;
    *shared = Some(environment.clone());
    Ok(environment)
}

/// What tells one library from another: its file's name, and a digest of the
/// names and lengths of the files that it brings along.
pub(crate) fn fingerprint(library: &Path) -> String {
    let file = library.canonicalize().unwrap_or_else(|_| library.to_owned());
    let entries = file.parent().and_then(|folder| folder.read_dir().ok());
    let mut parts: Vec<String> = entries
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let of_it = PARTS.iter().any(|part| name.starts_with(part));
            of_it.then(|| format!("{name} {}\n", entry.metadata().map_or(0, |it| it.len())))
        })
        .collect();
    parts.sort_unstable();
    let digest = Sha256::digest(parts.concat());
    let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{} {digest}", file.file_name().unwrap_or_default().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_is_an_error_that_says_where_it_comes_from() {
        let error = environment(Path::new("/nowhere/libonnxruntime.so")).err().unwrap();
        assert!(error.to_string().contains("Python package onnxruntime"), "{error}");
    }

    #[test]
    fn a_library_is_known_by_its_version_and_by_what_it_brings_along() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("libonnxruntime.so");
        let versioned = folder.path().join("libonnxruntime.so.1.24.1");
        std::fs::write(&versioned, "library").unwrap();
        std::os::unix::fs::symlink(&versioned, &library).unwrap();
        let plain = fingerprint(&library);
        assert!(plain.starts_with("libonnxruntime.so.1.24.1 "), "{plain}");
        std::fs::write(folder.path().join("LICENSE"), "MIT").unwrap();
        assert_eq!(fingerprint(&library), plain);
        std::fs::write(folder.path().join("libonnxruntime_providers_openvino.so"), "").unwrap();
        assert_ne!(fingerprint(&library), plain);
    }
}
