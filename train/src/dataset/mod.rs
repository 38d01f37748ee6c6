//! Reading a data set: which pictures there are, and which category each is
//! of. Nothing is decoded here.

mod archive;
mod category;
mod error;
mod folder;
mod images;
mod part;
mod picture;
mod table;

use std::path::{Path, PathBuf};

pub use category::{Category, SEPARATOR};
pub use error::DataError;
pub use part::Part;
pub use picture::{Picture, Place, Skipped};

/// How file names of pictures end.
const EXTENSIONS: [&str; 5] = ["jpg", "jpeg", "png", "webp", "gif"];

/// Where a data set is, and how a table of it is to be read.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// A folder of category folders, or a `.csv` or `.jsonl` file.
    pub path: PathBuf,
    /// The folder or `.tar` file that a table's image names refer to; without
    /// it, the table's own folder.
    pub images: Option<PathBuf>,
    /// The table's column of image names; without it, the first usual name.
    pub image_column: Option<String>,
    /// The table's columns of categories, outermost first; without them, the
    /// first usual name.
    pub category_columns: Vec<String>,
}

impl Source {
    /// A data set that needs no telling how it is to be read.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), ..Self::default() }
    }
}

/// Pictures with their categories, in the order of their names.
#[derive(Debug, Clone, Default)]
pub struct Dataset {
    /// The pictures.
    pub pictures: Vec<Picture>,
    /// What was named or lay there and is no picture of a category.
    pub skipped: Vec<Skipped>,
}

impl Dataset {
    /// Reads a folder of category folders, in which nested folders are paths,
    /// or a table. Where the folders right below are called `train`,
    /// `validation` and `test`, or a table has a column `split`, the parts are
    /// taken as given.
    ///
    /// # Errors
    /// When the source cannot be read, or holds no picture.
    pub fn open(source: &Source) -> Result<Self, DataError> {
        let path = &source.path;
        let mut dataset = if path.is_dir() {
            folder::read(path)?
        } else {
            match extension(path).as_deref() {
                Some("csv") => table::read(source, table::Format::Csv)?,
                Some("jsonl" | "ndjson") => table::read(source, table::Format::JsonLines)?,
                _ if path.exists() => return Err(DataError::Kind(path.clone())),
                _ => return Err(DataError::Missing(path.clone())),
            }
        };
        dataset.pictures.sort_by(|a, b| a.name.cmp(&b.name));
        if dataset.pictures.is_empty() {
            return Err(DataError::Empty(path.clone()));
        }
        Ok(dataset)
    }
}

/// The end of a file's name in lower case.
fn extension(path: &Path) -> Option<String> {
    path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase())
}

fn is_picture(path: &Path) -> bool {
    extension(path).is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

#[cfg(test)]
mod tests;
