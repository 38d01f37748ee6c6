//! What can be wrong with a model folder, said with the file and the key.

use std::path::{Path, PathBuf};

/// Why a folder is no model that can be served.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file that every model needs is absent.
    #[error("{}: there is no {wanted}", folder.display())]
    Missing {
        /// The folder.
        folder: PathBuf,
        /// What was looked for.
        wanted: &'static str,
    },
    /// A file is there and cannot be read.
    #[error("{}: {source}", file.display())]
    Unreadable {
        /// The file or folder.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is no JSON, or not of the shape it should have.
    #[error("{}: {source}", file.display())]
    Json {
        /// The file.
        file: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A key has a value that cannot be used.
    #[error("{}: {key}: {problem}", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The folder's name cannot be a model's name.
    #[error("{}: {source}", folder.display())]
    Name {
        /// The folder.
        folder: PathBuf,
        /// The rule it breaks.
        source: aisle_shared::domain::IdError,
    },
}

impl FolderError {
    pub(crate) fn unreadable(file: &Path, source: std::io::Error) -> Self {
        Self::Unreadable { file: file.to_owned(), source }
    }
}

/// What is wrong with a key, before it is known which file it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyProblem {
    pub(super) key: &'static str,
    pub(super) problem: String,
}

impl KeyProblem {
    pub(super) fn new(key: &'static str, problem: impl Into<String>) -> Self {
        Self { key, problem: problem.into() }
    }

    pub(super) fn in_file(self, file: &Path) -> FolderError {
        FolderError::Key { file: file.to_owned(), key: self.key, problem: self.problem }
    }
}
