//! What is wrong with the settings: all of it, each with its place.

use std::fmt;
use std::path::Path;

use super::given::Source;

/// Everything that is wrong, at least one line.
#[derive(Debug)]
pub(crate) struct Problems(pub(super) Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the settings do not work:")?;
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Where a setting stands, as a person would look for it.
pub(super) fn place(key: &str, source: Source, file: &Path) -> String {
    match source {
        Source::Default => format!("{key} (built in)"),
        Source::File => format!("{key} ({})", file.display()),
        Source::Environment => format!("{} (environment)", variable(key)),
        Source::Flag => format!("{} (flag)", flag(key)),
    }
}

/// The environment variable of a setting.
pub(super) fn variable(key: &str) -> String {
    format!("AISLE_{}", key.to_uppercase())
}

/// The flag of a setting.
pub(super) fn flag(key: &str) -> String {
    format!("--{}", key.replace('_', "-"))
}
