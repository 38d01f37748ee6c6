//! The ONNX Runtime library, loaded from the file that the settings name.
//!
//! It allows one environment in a process and never a second, not even after
//! the first was dropped: hence the one global of this crate.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;

static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_is_an_error_that_says_where_it_comes_from() {
        let error = environment(Path::new("/nowhere/libonnxruntime.so")).err().unwrap();
        assert!(error.to_string().contains("Python package onnxruntime"), "{error}");
    }
}
