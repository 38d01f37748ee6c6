//! A picture of a data set: where its bytes are, and what it shows.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use serde::Serialize;

use super::{Category, Part};

/// A picture with its category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// What it is called within its data set.
    pub name: String,
    /// Where its bytes are.
    pub place: Place,
    /// What it shows.
    pub category: Category,
    /// The part that the data set itself puts it into, if it does.
    pub part: Option<Part>,
}

/// Where a picture's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a file of their own.
    File(PathBuf),
    /// In a stretch of an archive.
    Within {
        /// The archive.
        archive: PathBuf,
        /// Where the stretch begins, in bytes.
        offset: u64,
        /// How long it is, in bytes.
        length: u64,
    },
}

impl Place {
    /// The bytes.
    ///
    /// # Errors
    /// When they cannot be read, or are more than `most`.
    pub fn read(&self, most: u64) -> io::Result<Vec<u8>> {
        let (mut file, length) = match self {
            Self::File(path) => {
                let file = File::open(path)?;
                let length = file.metadata()?.len();
                (file, length)
            }
            Self::Within { archive, offset, length } => {
                let mut file = File::open(archive)?;
                file.seek(SeekFrom::Start(*offset))?;
                (file, *length)
            }
        };
        if length > most {
            return Err(io::Error::other(format!("{length} bytes, and {most} are allowed")));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        file.by_ref().take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Something that was passed over, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// What it is called within its data set.
    pub name: String,
    /// Why it was passed over.
    pub reason: String,
}

impl Skipped {
    /// Something passed over for a reason.
    pub fn new(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { name: name.into(), reason: reason.into() }
    }
}
