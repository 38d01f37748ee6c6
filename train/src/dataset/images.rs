//! Finding the pictures that a table names: in a folder or in an archive.

use std::path::{Path, PathBuf};

use super::archive::Archive;
use super::{DataError, EXTENSIONS, Place, extension};

/// Where the names of a table lead.
pub(super) enum Images {
    Folder(PathBuf),
    Archive(Archive),
}

impl Images {
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        if extension(path).as_deref() == Some("tar") {
            Archive::open(path).map(Self::Archive)
        } else if path.is_dir() {
            Ok(Self::Folder(path.to_owned()))
        } else {
            Err(DataError::Missing(path.to_owned()))
        }
    }

    /// The picture of that name; a name without an ending, as an article's
    /// number, means the picture that is called so.
    pub(super) fn find(&self, name: &str) -> Option<Place> {
        match self {
            Self::Archive(archive) => archive.find(name),
            Self::Folder(folder) => {
                let with_endings = EXTENSIONS.iter().map(|ending| format!("{name}.{ending}"));
                std::iter::once(name.to_owned())
                    .chain(with_endings)
                    .map(|name| folder.join(name))
                    .find(|path| path.is_file())
                    .map(Place::File)
            }
        }
    }
}
