//! A model's version: a digest of every file that its answers depend on.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::error::FolderError;

/// `sha256:` and 64 hexadecimal digits over the names, lengths and contents
/// of the files, in the order given. Names are relative to `folder`.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn digest(folder: &Path, files: &[PathBuf]) -> Result<String, FolderError> {
    let mut hasher = Sha256::new();
    for file in files {
        add(&mut hasher, folder, file).map_err(|source| FolderError::unreadable(file, source))?;
    }
    Ok(text(hasher))
}

/// One digest of several.
pub(super) fn combined(digests: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for digest in digests {
        hasher.update(digest.as_bytes());
    }
    text(hasher)
}

fn text(hasher: Sha256) -> String {
    let mut text = String::from("sha256:");
    for byte in hasher.finalize() {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

fn add(hasher: &mut Sha256, folder: &Path, file: &Path) -> io::Result<()> {
    let name = file.strip_prefix(folder).unwrap_or(file).to_string_lossy().into_owned();
    let mut content = File::open(file)?;
    let length = content.metadata()?.len();
    hasher.update(u64::try_from(name.len()).unwrap_or(u64::MAX).to_le_bytes());
    hasher.update(name.as_bytes());
    hasher.update(length.to_le_bytes());
    let mut buffer = vec![0; 1 << 16];
    loop {
        match content.read(&mut buffer)? {
            0 => return Ok(()),
            read => hasher.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

/// The network's file and those beside it that begin with its name: weights
/// past two gigabytes are kept in `model.onnx_data` and the like.
///
/// # Errors
/// When the network's folder cannot be listed.
pub(super) fn network_files(network: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let folder = network.parent().unwrap_or(network);
    let unreadable = |source| FolderError::unreadable(folder, source);
    let name = network.file_name().unwrap_or(OsStr::new("")).as_encoded_bytes();
    let mut files = Vec::new();
    for entry in folder.read_dir().map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.file_name().as_encoded_bytes().starts_with(name) && entry.path().is_file() {
            files.push(entry.path());
        }
    }
    files.sort_unstable();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_changes_with_every_file_and_with_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let network = folder.path().join("model.onnx");
        std::fs::write(&network, "graph").unwrap();
        let version = || digest(folder.path(), &network_files(&network).unwrap()).unwrap();

        let first = version();
        assert_eq!(first.len(), "sha256:".len() + 64);
        std::fs::write(folder.path().join("README.md"), "hello").unwrap();
        assert_eq!(version(), first);
        std::fs::write(folder.path().join("model.onnx_data"), "weights").unwrap();
        assert_ne!(version(), first);
    }
}
