//! The network and the pictures that are measured.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bytes::Bytes;
use image::ImageFormat;
use tempfile::TempDir;

use super::options::Options;
use crate::pictures::{Colour, picture};
use crate::places::{files_below, shared_folder};
use crate::tiny_model;

/// Pictures kept in memory at most.
const MOST_PICTURES: usize = 400;

/// The network and the pictures.
#[derive(Debug)]
pub struct Subject {
    /// The model's name: that of its folder.
    pub model: String,
    /// A folder with a link to that model alone, so that no other takes
    /// memory.
    pub models: PathBuf,
    /// The pictures, encoded.
    pub pictures: Vec<Bytes>,
    /// What the pictures are, for people.
    pub about: String,
    _folder: TempDir,
}

impl Subject {
    /// What the options name; else what lies beside the repository; else the
    /// tests' tiny network and drawn pictures.
    ///
    /// # Errors
    /// When what was named is not there.
    pub fn find(options: &Options) -> anyhow::Result<Self> {
        let shared = if options.model.is_none() || options.pictures.is_none() {
            shared_folder("real photographs and networks in the benchmark")
        } else {
            None
        };
        let folder = tempfile::tempdir()?;
        let source = match (&options.model, &shared) {
            (Some(named), _) => model_folder(named)?,
            (None, Some(shared)) => shared.join("models/mobilenet-v2"),
            (None, None) => tiny_model::write(&folder.path().join("drawn"), "tiny")?,
        };
        let source = std::fs::canonicalize(&source).context("the model folder")?;
        let name = source.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let models = folder.path().join("models");
        std::fs::create_dir(&models)?;
        std::os::unix::fs::symlink(&source, models.join(&name))?;

        let photographs = match (&options.pictures, &shared) {
            (Some(named), _) => Some(named.clone()),
            (None, Some(shared)) => Some(shared.join("data/clothing/validation")),
            (None, None) => None,
        };
        let (pictures, about) = match photographs {
            Some(folder) => (read(&folder)?, String::new()),
            None => (drawn(), "drawn ".to_owned()),
        };
        let bytes: usize = pictures.iter().map(Bytes::len).sum();
        let about = format!(
            "{} {about}pictures of {} kB on average",
            pictures.len(),
            bytes / pictures.len() / 1000
        );
        Ok(Self { model: name, models, pictures, about, _folder: folder })
    }

    /// The model's own folder.
    #[must_use]
    pub fn model_folder(&self) -> PathBuf {
        self.models.join(&self.model)
    }
}

/// The folder itself if it is a model's, else the first below it that is.
fn model_folder(named: &Path) -> anyhow::Result<PathBuf> {
    let is_model = |folder: &Path| folder.join("config.json").is_file();
    if is_model(named) {
        return Ok(named.to_owned());
    }
    let entries = std::fs::read_dir(named).with_context(|| named.display().to_string())?;
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    let found = folders.into_iter().find(|folder| is_model(folder));
    found.with_context(|| format!("no model folder in {}", named.display()))
}

/// Pictures spread evenly over all that lie below a folder.
fn read(folder: &Path) -> anyhow::Result<Vec<Bytes>> {
    let is_picture = |path: &PathBuf| {
        let kind = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        ["jpg", "jpeg", "png", "webp"].contains(&kind.as_str())
    };
    let files: Vec<PathBuf> = files_below(folder).into_iter().filter(is_picture).collect();
    anyhow::ensure!(!files.is_empty(), "no picture below {}", folder.display());
    let step = files.len().div_ceil(MOST_PICTURES);
    let read = |path: &PathBuf| Ok(Bytes::from(std::fs::read(path)?));
    files.iter().step_by(step).map(read).collect()
}

fn drawn() -> Vec<Bytes> {
    Colour::ALL.map(|colour| Bytes::from(picture(colour, 400, 533, ImageFormat::Jpeg))).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_models_stands_for_its_first() {
        let folder = tempfile::tempdir().unwrap();
        assert!(model_folder(folder.path()).is_err());
        let second = tiny_model::write(folder.path(), "b").unwrap();
        let first = tiny_model::write(folder.path(), "a").unwrap();
        std::fs::write(folder.path().join("README.md"), "").unwrap();
        assert_eq!(model_folder(folder.path()).unwrap(), first);
        assert_eq!(model_folder(&second).unwrap(), second);
    }

    #[test]
    fn only_pictures_are_read() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).is_err());
        std::fs::write(folder.path().join("a.JPG"), "picture").unwrap();
        std::fs::write(folder.path().join("notes.txt"), "text").unwrap();
        assert_eq!(read(folder.path()).unwrap(), ["picture"]);
    }
}
