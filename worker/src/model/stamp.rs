//! What tells that a model folder's files are others than before, without
//! reading them.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Where files lie that belong to a model, below its folder.
const PLACES: [&str; 2] = ["", "onnx"];

/// The files of a model folder as they stand now: each one's name, inode, length
/// and times. The times of its inode count too, because a copy may bear those of
/// its original.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp(Vec<(PathBuf, [u64; 3], [i64; 4])>);

impl Stamp {
    /// That of a folder.
    ///
    /// # Errors
    /// When the folder, or a file in it, cannot be looked at.
    pub(crate) fn of(folder: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        for place in PLACES {
            let place = folder.join(place);
            let entries = match place.read_dir() {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound && place != folder => {
                    continue;
                }
                Err(error) => return Err(error),
            };
            for entry in entries {
                let path = entry?.path();
                // What a link leads to, not the link.
                let file = match path.metadata() {
                    Ok(file) => file,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                };
                if file.is_file() {
                    let (numbers, times) = seen(&file);
                    files.push((path, numbers, times));
                }
            }
        }
        files.sort_unstable();
        Ok(Self(files))
    }
}

fn seen(file: &Metadata) -> ([u64; 3], [i64; 4]) {
    let numbers = [file.dev(), file.ino(), file.len()];
    (numbers, [file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()])
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_stamp_is_another_when_a_file_is() {
        let folder = tempfile::tempdir().unwrap();
        let stamp = || Stamp::of(folder.path()).unwrap();
        fs::create_dir(folder.path().join("onnx")).unwrap();
        fs::write(folder.path().join("onnx/model.onnx"), "graph").unwrap();
        let first = stamp();
        assert_eq!(stamp(), first);
        fs::write(folder.path().join("config.json"), "{}").unwrap();
        let second = stamp();
        assert_ne!(second, first);
        // The same bytes under the same times, in another file.
        let (file, copy) = (folder.path().join("config.json"), folder.path().join(".copy"));
        fs::copy(&file, &copy).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        fs::File::options().write(true).open(&copy).unwrap().set_modified(modified).unwrap();
        fs::rename(&copy, &file).unwrap();
        assert_ne!(stamp(), second);
        assert!(Stamp::of(&folder.path().join("nowhere")).is_err());
    }
}
