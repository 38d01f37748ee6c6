//! A folder of category folders.

use std::fs::DirEntry;
use std::path::Path;

use super::{Category, DataError, Dataset, Part, Picture, Place, Skipped, is_picture};

pub(super) fn read(root: &Path) -> Result<Dataset, DataError> {
    let entries = sorted(root)?;
    let folders: Vec<&DirEntry> = entries.iter().filter(|entry| entry.path().is_dir()).collect();
    let part = |entry: &&DirEntry| Part::named(&entry.file_name().to_string_lossy());
    let parts: Vec<Part> = folders.iter().filter_map(part).collect();
    // Else a shop's category happens to be called "test".
    let is_split = parts.len() > 1 && parts.len() == folders.len() && parts.contains(&Part::Train);

    let mut dataset = Dataset::default();
    if is_split {
        for (folder, part) in folders.iter().zip(parts) {
            let mut search = Search { root, part: Some(part), found: &mut dataset };
            search.descend(&folder.path(), &mut Vec::new())?;
        }
    } else {
        let mut search = Search { root, part: None, found: &mut dataset };
        search.descend(root, &mut Vec::new())?;
    }
    Ok(dataset)
}

struct Search<'a> {
    root: &'a Path,
    part: Option<Part>,
    found: &'a mut Dataset,
}

impl Search<'_> {
    /// Hidden files and folders are passed over; links to folders are not
    /// followed, so the search ends.
    fn descend(&mut self, folder: &Path, parts: &mut Vec<String>) -> Result<(), DataError> {
        for entry in sorted(folder)? {
            let path = entry.path();
            let unreadable = |source| DataError::Unreadable { path: path.clone(), source };
            if entry.file_type().map_err(unreadable)?.is_dir() {
                parts.push(entry.file_name().to_string_lossy().into_owned());
                self.descend(&path, parts)?;
                parts.pop();
            } else {
                self.take(&path, parts);
            }
        }
        Ok(())
    }

    fn take(&mut self, path: &Path, parts: &[String]) {
        let name = path.strip_prefix(self.root).unwrap_or(path).to_string_lossy().into_owned();
        if !is_picture(path) {
            self.found.skipped.push(Skipped::new(name, "the name does not end like a picture's"));
            return;
        }
        match Category::new(parts) {
            Some(category) => {
                let place = Place::File(path.to_owned());
                self.found.pictures.push(Picture { name, place, category, part: self.part });
            }
            None => self.found.skipped.push(Skipped::new(name, "it lies in no category folder")),
        }
    }
}

/// The entries that are not hidden, by name.
fn sorted(folder: &Path) -> Result<Vec<DirEntry>, DataError> {
    let unreadable = |source| DataError::Unreadable { path: folder.to_owned(), source };
    let entries = folder.read_dir().map_err(unreadable)?;
    let mut entries = entries.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    entries.retain(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."));
    entries.sort_unstable_by_key(DirEntry::file_name);
    Ok(entries)
}
