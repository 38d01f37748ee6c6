//! The settings file: TOML with the names of [`Layer`]'s fields.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::Layer;

/// The file that is read when none is named and it is there.
const USUAL: &str = "aisle.toml";

/// What a settings file says, and which file it is.
#[derive(Debug)]
pub(super) struct FileLayer {
    pub(super) path: PathBuf,
    pub(super) layer: Layer,
}

/// Reads the file that was named, or the usual one if it is there.
///
/// # Errors
/// One sentence that names the file and the line. It never shows the line
/// itself, which may hold a password.
pub(super) fn read(named: Option<&Path>) -> Result<FileLayer, String> {
    let path = named.unwrap_or(Path::new(USUAL)).to_owned();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => String::new(),
        Err(error) => {
            return Err(format!("{}: the settings file cannot be read: {error}", path.display()));
        }
    };
    match toml::from_str(&text) {
        Ok(layer) => Ok(FileLayer { path, layer }),
        Err(error) => Err(complaint(&path, &text, &error)),
    }
}

fn complaint(path: &Path, text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let line = 1 + text.bytes().take(start).filter(|byte| *byte == b'\n').count();
    let what = error.message().lines().collect::<Vec<_>>().join("; ");
    format!("{}, line {line}: {what}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint_about(text: &str) -> String {
        let error = toml::from_str::<Layer>(text).unwrap_err();
        complaint(Path::new("x.toml"), text, &error)
    }

    #[test]
    fn an_unknown_setting_is_named_with_its_line() {
        let complaint = complaint_about("max_batch = 4\nmax_bach = 8\n");
        assert!(complaint.starts_with("x.toml, line 2: "), "{complaint}");
        assert!(complaint.contains("max_bach"), "{complaint}");
    }

    #[test]
    fn a_broken_line_is_not_shown() {
        let complaint = complaint_about("store = \"redis://:hunter2@host\nthreads = 2\n");
        assert!(complaint.starts_with("x.toml, line 1: "), "{complaint}");
        assert!(!complaint.contains("hunter2"), "{complaint}");
    }
}
