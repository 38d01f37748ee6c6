//! Which files are meant by the paths that were named.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// How the files end that are looked for in folders.
const EXTENSIONS: [&str; 5] = ["jpg", "jpeg", "png", "webp", "gif"];

/// Files as named, whatever they are called, and the images in folders, those
/// of each folder in the order of their names. Links to folders inside are
/// not followed, so the search ends.
///
/// # Errors
/// When a folder cannot be read, or nothing is found. A file that does not
/// exist is found out about when it is read, like one that is broken.
pub(super) fn images(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            search(path, &mut found).with_context(|| path.display().to_string())?;
        } else {
            found.push(path.clone());
        }
    }
    if found.is_empty() {
        bail!("no images were found: folders are searched for {}", EXTENSIONS.join(", "));
    }
    Ok(found)
}

fn search(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries = folder.read_dir()?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_unstable_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            search(&path, found)?;
        } else if is_image(&path) && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_searched_and_files_taken_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("shoes")).unwrap();
        for name in ["shoes/b.JPG", "shoes/a.png", "shoes/notes.txt", "c.webp", "upload.bin"] {
            std::fs::write(path(name), "").unwrap();
        }
        let all = images(&[folder.path().to_owned(), path("upload.bin")]).unwrap();
        let expected = ["c.webp", "shoes/a.png", "shoes/b.JPG", "upload.bin"].map(path);
        assert_eq!(all, expected);
    }

    #[test]
    fn a_file_that_does_not_exist_does_not_stop_the_others() {
        let all = images(&["nowhere.jpg".into(), "nowhere.png".into()]).unwrap();
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn a_folder_without_images_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(images(&[folder.path().to_owned()]).is_err());
    }
}
