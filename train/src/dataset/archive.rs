//! A tar archive of pictures, read in place: its headers are walked once,
//! and each picture is a stretch of the file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::{DataError, Place, is_picture};

/// The pictures of an archive.
pub(super) struct Archive {
    path: PathBuf,
    /// Offset and length by path within the archive.
    by_path: HashMap<PathBuf, (u64, u64)>,
    /// Paths by name without folder and ending; `None` where two share it.
    by_stem: HashMap<String, Option<PathBuf>>,
}

impl Archive {
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let unreadable = |source| DataError::Unreadable { path: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        let by_path = walk(file).map_err(unreadable)?;
        let mut by_stem = HashMap::new();
        for inner in by_path.keys() {
            let stem = inner.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            by_stem.entry(stem).and_modify(|known| *known = None).or_insert(Some(inner.clone()));
        }
        Ok(Self { path: path.to_owned(), by_path, by_stem })
    }

    pub(super) fn find(&self, name: &str) -> Option<Place> {
        let by_stem = || self.by_stem.get(name)?.as_ref().and_then(|path| self.by_path.get(path));
        let (offset, length) = *self.by_path.get(Path::new(name)).or_else(by_stem)?;
        Some(Place::Within { archive: self.path.clone(), offset, length })
    }
}

fn walk(file: File) -> io::Result<HashMap<PathBuf, (u64, u64)>> {
    let mut found = HashMap::new();
    let mut archive = tar::Archive::new(BufReader::new(file));
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        let path = entry.path()?.into_owned();
        if entry.header().entry_type().is_file() && is_picture(&path) {
            found.insert(path, (entry.raw_file_position(), entry.size()));
        }
    }
    Ok(found)
}
