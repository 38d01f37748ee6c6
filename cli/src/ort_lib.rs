//! Finding the ONNX Runtime library where the set-up puts it.

use std::path::{Path, PathBuf};

use crate::settings::Settings;

/// Where the set-up puts the library, from the working folder or from the
/// folder of the program.
const BROUGHT: &str = ".runtime/onnxruntime/libonnxruntime.so";

/// The name by which the system's loader may know it.
const INSTALLED: &str = "libonnxruntime.so";

impl Settings {
    /// The library to load: the one that was set, else the one that was
    /// brought, else whatever the system's loader finds.
    pub(crate) fn ort_lib(&self) -> PathBuf {
        locate(self.ort_lib.as_deref())
    }
}

fn locate(set: Option<&Path>) -> PathBuf {
    let program = std::env::current_exe().ok();
    let beside = program.as_deref().and_then(Path::parent);
    let folders = [Some(Path::new("")), beside].into_iter().flatten();
    set.map(Path::to_owned).or_else(|| brought(folders)).unwrap_or_else(|| INSTALLED.into())
}

fn brought<'a>(mut folders: impl Iterator<Item = &'a Path>) -> Option<PathBuf> {
    folders.find_map(|folder| folder.join(BROUGHT).canonicalize().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_that_was_set_wins() {
        assert_eq!(locate(Some(Path::new("x/y.so"))), Path::new("x/y.so"));
    }

    #[test]
    fn a_brought_library_is_found_in_the_first_folder_that_has_it() {
        let (empty, full) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let library = full.path().join(BROUGHT);
        std::fs::create_dir_all(library.parent().unwrap()).unwrap();
        std::fs::write(&library, "").unwrap();
        let found = brought([empty.path(), full.path()].into_iter());
        assert_eq!(found, Some(library.canonicalize().unwrap()));
        assert_eq!(brought([empty.path()].into_iter()), None);
    }
}
