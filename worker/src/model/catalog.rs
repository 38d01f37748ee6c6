//! A folder of model folders.

use std::path::{Path, PathBuf};

use aisle_shared::domain::ModelName;

use super::error::FolderError;
use super::folder::ModelFolder;

/// The models in a folder, those that open and those that do not.
#[derive(Debug, Default)]
pub struct Catalog {
    /// Models that can be served, by name.
    pub models: Vec<ModelFolder>,
    /// Folders that mean to be models and are none.
    pub broken: Vec<Broken>,
}

/// A folder that means to be a model and is none.
#[derive(Debug)]
pub struct Broken {
    /// The folder.
    pub folder: PathBuf,
    /// What is wrong with it.
    pub error: FolderError,
}

impl Catalog {
    /// Opens every model in a folder of model folders, or the one model that
    /// the folder itself is. Hidden folders, and those with neither
    /// configuration nor network, are passed over.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn open(folder: &Path) -> Result<Self, FolderError> {
        let mut catalog = Self::default();
        for path in candidates(folder)? {
            match ModelFolder::open(&path) {
                Ok(model) => catalog.models.push(model),
                Err(error) => catalog.broken.push(Broken { folder: path, error }),
            }
        }
        Ok(catalog)
    }

    /// The model of that name.
    #[must_use]
    pub fn find(&self, name: &ModelName) -> Option<&ModelFolder> {
        self.models.iter().find(|model| model.name == *name)
    }
}

/// The folders in `folder` that mean to be models, or itself if it does, by path.
///
/// # Errors
/// When it cannot be listed.
pub(super) fn candidates(folder: &Path) -> Result<Vec<PathBuf>, FolderError> {
    if ModelFolder::looks_like_one(folder) {
        return Ok(vec![folder.to_owned()]);
    }
    let unreadable = |source| FolderError::unreadable(folder, source);
    let mut found = Vec::new();
    for entry in folder.read_dir().map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !hidden && ModelFolder::looks_like_one(&entry.path()) {
            found.push(entry.path());
        }
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("model.onnx"), "graph").unwrap();
        std::fs::write(folder.join("config.json"), r#"{"id2label":{"0":"a"}}"#).unwrap();
        let preprocessor = r#"{"image_processor_type":"ViTImageProcessor"}"#;
        std::fs::write(folder.join("preprocessor_config.json"), preprocessor).unwrap();
    }

    #[test]
    fn every_model_is_found_and_every_broken_one_is_reported() {
        let root = tempfile::tempdir().unwrap();
        model(&root.path().join("b"));
        model(&root.path().join("a"));
        model(&root.path().join(".cache"));
        model(&root.path().join("two words"));
        std::fs::create_dir(root.path().join("notes")).unwrap();
        std::fs::create_dir(root.path().join("half")).unwrap();
        std::fs::write(root.path().join("half/config.json"), "{}").unwrap();

        let catalog = Catalog::open(root.path()).unwrap();
        let names: Vec<&str> = catalog.models.iter().map(|model| model.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(catalog.broken.len(), 2);
        assert!(catalog.broken[0].folder.ends_with("half"));
        assert!(catalog.find(&"a".parse().unwrap()).is_some());
    }

    #[test]
    fn a_model_folder_itself_is_a_catalog_of_one() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("only");
        model(&folder);
        assert_eq!(Catalog::open(&folder).unwrap().models.len(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        assert!(Catalog::open(Path::new("/nowhere/at/all")).is_err());
    }
}
