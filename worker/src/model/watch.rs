//! Looking at the models' folder again and again: what is new in it, what is
//! another, and what has gone.
//!
//! A folder counts once two looks found the same, so that one which is still
//! being copied is left alone, and as gone only after several, so that it may be
//! taken away and put back. A folder without any model is taken for a volume that
//! is not there: nothing is gone then.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::catalog::candidates;
use super::error::FolderError;
use super::stamp::Stamp;

/// Looks in a row without a folder until it counts as gone.
const GONE_AFTER: u32 = 5;

/// What the models' folder held at one look.
pub(crate) type Look = BTreeMap<PathBuf, Stamp>;

/// What became of a model's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is new, or its files are others than when it was looked into.
    Changed(PathBuf, Stamp),
    /// It is no longer there.
    Gone(PathBuf),
}

/// What is known of the models' folder.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    folders: BTreeMap<PathBuf, Known>,
}

#[derive(Debug)]
struct Known {
    /// As it was at the last look.
    last: Stamp,
    /// As it was when it was looked into.
    taken: Option<Stamp>,
    /// Looks in a row that have not found it.
    missed: u32,
}

/// Looks at a folder of model folders, or at the model folder that it is itself.
///
/// # Errors
/// When it cannot be listed, or has no model in it.
pub(crate) fn look(models: &Path) -> Result<Look, FolderError> {
    let mut look = Look::new();
    for folder in candidates(models)? {
        // One that goes at this very moment is missing from this look.
        if let Ok(stamp) = Stamp::of(&folder) {
            look.insert(folder, stamp);
        }
    }
    if look.is_empty() {
        return Err(FolderError::Missing { folder: models.to_owned(), wanted: "model folder" });
    }
    Ok(look)
}

impl Watch {
    /// One that begins when all that was found has been looked into.
    pub(crate) fn of(look: Look) -> Self {
        let known = |stamp: Stamp| Known { taken: Some(stamp.clone()), last: stamp, missed: 0 };
        let folders = look.into_iter().map(|(folder, stamp)| (folder, known(stamp)));
        Self { folders: folders.collect() }
    }

    /// Takes a look in, and tells what is to be looked into. It is told once.
    pub(crate) fn take(&mut self, mut look: Look) -> Vec<Change> {
        let mut changes = Vec::new();
        self.folders.retain(|folder, known| match look.remove(folder) {
            Some(stamp) => {
                known.missed = 0;
                if stamp != known.last {
                    known.last = stamp;
                } else if known.taken.as_ref() != Some(&stamp) {
                    known.taken = Some(stamp.clone());
                    changes.push(Change::Changed(folder.clone(), stamp));
                }
                true
            }
            None => {
                known.missed += 1;
                let gone = known.missed >= GONE_AFTER;
                if gone {
                    changes.push(Change::Gone(folder.clone()));
                }
                !gone
            }
        });
        let new =
            look.into_iter().map(|(folder, last)| (folder, Known { last, taken: None, missed: 0 }));
        self.folders.extend(new);
        changes
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Models(tempfile::TempDir, Watch);

    impl Models {
        fn with(names: &[&str]) -> Self {
            let root = tempfile::tempdir().unwrap();
            for name in names {
                write(root.path(), name, "graph");
            }
            let watch = Watch::of(look(root.path()).unwrap());
            Self(root, watch)
        }

        fn write(&self, name: &str, graph: &str) {
            write(self.0.path(), name, graph);
        }

        /// The names of what changed at the next look, and of what is gone.
        fn look(&mut self) -> Vec<(String, bool)> {
            let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
            let changes = self.1.take(look(self.0.path()).unwrap());
            let told = changes.iter().map(|change| match change {
                Change::Changed(path, _) => (name(path), true),
                Change::Gone(path) => (name(path), false),
            });
            told.collect()
        }
    }

    fn write(root: &Path, name: &str, graph: &str) {
        fs::create_dir_all(root.join(name)).unwrap();
        fs::write(root.join(name).join("model.onnx"), graph).unwrap();
    }

    fn changed(name: &str) -> (String, bool) {
        (name.to_owned(), true)
    }

    #[test]
    fn nothing_is_told_of_what_stays_as_it_was() {
        let mut models = Models::with(&["a", "b"]);
        for _ in 0..3 {
            assert_eq!(models.look(), []);
        }
    }

    #[test]
    fn a_change_is_told_once_and_not_while_it_goes_on() {
        let mut models = Models::with(&["a"]);
        for graph in ["half", "more of it", "all of it, now"] {
            models.write("a", graph);
            assert_eq!(models.look(), []);
        }
        assert_eq!(models.look(), [changed("a")]);
        assert_eq!(models.look(), []);
    }

    #[test]
    fn a_new_folder_is_told() {
        let mut models = Models::with(&["a"]);
        models.write("b", "graph");
        assert_eq!(models.look(), []);
        assert_eq!(models.look(), [changed("b")]);
    }

    #[test]
    fn a_folder_that_comes_back_in_time_was_never_gone() {
        let mut models = Models::with(&["a", "b"]);
        let (here, aside) = (models.0.path().join("a"), models.0.path().join(".aside"));
        fs::rename(&here, &aside).unwrap();
        for _ in 1..GONE_AFTER {
            assert_eq!(models.look(), []);
        }
        fs::rename(&aside, &here).unwrap();
        for _ in 0..GONE_AFTER {
            assert_eq!(models.look(), []);
        }
        fs::remove_dir_all(&here).unwrap();
        for _ in 1..GONE_AFTER {
            assert_eq!(models.look(), []);
        }
        assert_eq!(models.look(), [("a".to_owned(), false)]);
        assert_eq!(models.look(), []);
    }

    #[test]
    fn a_folder_without_any_model_is_trouble_and_takes_nothing_away() {
        let models = Models::with(&["a"]);
        fs::remove_dir_all(models.0.path().join("a")).unwrap();
        assert!(look(models.0.path()).unwrap_err().to_string().contains("no model folder"));
        assert!(look(Path::new("/nowhere/at/all")).is_err());
    }
}
