//! Why a data set cannot be read.

use std::path::PathBuf;

/// Why a data set cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// There is nothing of that name.
    #[error("there is no {}", .0.display())]
    Missing(PathBuf),
    /// It is neither a folder nor a table.
    #[error("{}: a data set is a folder of category folders, or a .csv or .jsonl file", .0.display())]
    Kind(PathBuf),
    /// It holds no picture of any category.
    #[error(
        "{}: there is no picture in any category: lay them in a folder for each category, or name \
         a table with a row for each picture",
        .0.display()
    )]
    Empty(PathBuf),
    /// A file or folder cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A column that is needed is not there.
    #[error("{}: there is no column {wanted} among {present:?}", path.display())]
    Column {
        /// The table.
        path: PathBuf,
        /// What was looked for.
        wanted: String,
        /// The columns that are there.
        present: Vec<String>,
    },
    /// A row is no row of such a table.
    #[error("{}: line {line}: {problem}", path.display())]
    Row {
        /// The table.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
}
