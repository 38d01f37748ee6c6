//! Finding the ONNX Runtime library where the set-up, or the system, puts it.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::settings::Settings;

/// The library's name without a version.
const LIBRARY: &str = "libonnxruntime.so";

/// Where the set-up puts it, from the working folder or from the folder of
/// the program.
const BROUGHT: &str = ".runtime/onnxruntime";

/// Where systems put it, besides the folder that Debian and Ubuntu name after
/// the processor.
const INSTALLED: [&str; 3] = ["/usr/local/lib", "/usr/lib64", "/usr/lib"];

/// How to get it.
const MISSING: &str = "there is no ONNX Runtime library: bring it with `make setup`, or set \
    AISLE_ORT_LIB to the file libonnxruntime.so.* of the Python package onnxruntime";

impl Settings {
    /// The library to load: the one that was set, else the one that was
    /// brought, else the system's.
    ///
    /// # Errors
    /// When there is none: how to get one.
    pub(crate) fn ort_lib(&self) -> anyhow::Result<PathBuf> {
        let set = self.ort_lib.clone();
        set.or_else(|| first(&usual_folders())).context(MISSING)
    }
}

fn usual_folders() -> Vec<PathBuf> {
    let program = std::env::current_exe().ok();
    let beside = program.as_deref().and_then(Path::parent);
    let brought = [Some(Path::new("")), beside].into_iter().flatten();
    let multiarch = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let installed = INSTALLED.map(PathBuf::from).into_iter().chain([multiarch.into()]);
    brought.map(|folder| folder.join(BROUGHT)).chain(installed).collect()
}

fn first(folders: &[PathBuf]) -> Option<PathBuf> {
    folders.iter().map(|folder| folder.join(LIBRARY)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_taken_from_the_first_folder_that_has_one() {
        let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
        let paths: Vec<_> = folders.iter().map(|folder| folder.path().to_owned()).collect();
        assert_eq!(first(&paths), None);
        for path in &paths[1..] {
            std::fs::write(path.join(LIBRARY), "").unwrap();
        }
        assert_eq!(first(&paths), Some(paths[1].join(LIBRARY)));
    }

    #[test]
    fn what_was_brought_comes_before_what_is_installed() {
        let folders = usual_folders();
        assert_eq!(folders[0], Path::new(BROUGHT));
        assert!(folders[1].ends_with(BROUGHT));
        assert!(folders[2..].iter().all(|folder| folder.starts_with("/usr")));
    }
}
