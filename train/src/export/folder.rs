//! The folder: made beside its place and moved there when it is whole, so
//! that a worker never sees half a model.

use std::path::{Path, PathBuf};

use aisle_shared::domain::{Acceptance, ModelName};
use aisle_worker::model::{FolderError, ModelFolder, Preprocessing, ResizeTo};
use serde_json::{Map, Value, json};

use super::golden::{self, Golden};
use crate::dataset::Category;
use crate::onnx::LOGITS;

/// Why a model folder cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The folder's name cannot be a model's.
    #[error("{}: {source}", path.display())]
    Name {
        /// The folder.
        path: PathBuf,
        /// The rule it breaks.
        source: aisle_shared::domain::IdError,
    },
    /// There is something already.
    #[error("{} is there already: name another folder, or say --replace", .0.display())]
    Taken(PathBuf),
    /// There is something that is no model, which is not replaced.
    #[error("{} is no model folder, so it is not replaced", .0.display())]
    NoModel(PathBuf),
    /// The preprocessing that was trained with cannot be said in the folder's
    /// files.
    #[error("the preprocessing of {0} cannot be written down as it was used")]
    Preprocessing(ModelName),
    /// What was written is no model folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Where a model folder is to stand, checked before the work begins.
#[derive(Debug, Clone)]
pub struct Place {
    path: PathBuf,
    /// The model's name.
    pub name: ModelName,
}

/// What a model folder is made of.
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    /// The folder whose preprocessing is that of the model.
    pub like: &'a ModelFolder,
    /// The categories, in the order of the logits.
    pub categories: &'a [Category],
    /// An ONNX model.
    pub graph: &'a [u8],
    /// What logits are divided by.
    pub temperature: f64,
    /// From which score on answers can be accepted.
    pub accept: &'a [Acceptance],
    /// What training computed of pictures made for it.
    pub goldens: &'a [Golden],
    /// Height and width of what the network sees.
    pub size: [u32; 2],
    /// Other files, by name.
    pub files: &'a [(&'a str, Vec<u8>)],
}

impl Place {
    /// A folder that is not there yet, or a model folder that may be replaced.
    ///
    /// # Errors
    /// When it is taken, or its name cannot be a model's.
    pub fn check(path: &Path, replace: bool) -> Result<Self, ExportError> {
        let last = path.file_name().unwrap_or_default().to_string_lossy();
        let fault = |source| ExportError::Name { path: path.to_owned(), source };
        let name = last.parse().map_err(fault)?;
        let is_empty = path.read_dir().is_ok_and(|mut entries| entries.next().is_none());
        if path.exists() && !is_empty {
            if !replace {
                return Err(ExportError::Taken(path.to_owned()));
            }
            if !ModelFolder::looks_like_one(path) {
                return Err(ExportError::NoModel(path.to_owned()));
            }
        }
        Ok(Self { path: path.to_owned(), name })
    }

    /// The folder in which the model is made, on the same file system. Hidden,
    /// so that no worker takes it for a model.
    fn workshop(&self) -> PathBuf {
        self.path.with_file_name(format!(".{}.new", self.name))
    }

    /// Writes the files and returns where they lie: a model folder of the
    /// model's name that is not in its place yet.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, made: Made<'_>) -> Result<PathBuf, ExportError> {
        let workshop = self.workshop();
        if workshop.exists() {
            std::fs::remove_dir_all(&workshop).map_err(|source| fault(&workshop, source))?;
        }
        let folder = workshop.join(self.name.as_str());
        let write = |name: &str, content: &[u8]| {
            let path = folder.join(name);
            let parent = path.parent().unwrap_or(&folder);
            std::fs::create_dir_all(parent)
                .and_then(|()| std::fs::write(&path, content))
                .map_err(|source| fault(&path, source))
        };
        let json = |value: &Value| format!("{value:#}\n").into_bytes();
        write("onnx/model.onnx", made.graph)?;
        write("config.json", &json(&config(&made)?))?;
        let preprocessor = made.like.path.join(PREPROCESSOR);
        if preprocessor.is_file() {
            let mut steps = read_json(&preprocessor)?;
            carry_size(&mut steps, &made.like.preprocessing);
            write(PREPROCESSOR, &json(&steps))?;
        }
        let extra = json!({
            "logits": LOGITS,
            "temperature": made.temperature,
            "accept": made.accept,
        });
        write("aisle.json", &json(&extra))?;
        for (name, content) in made.files {
            write(name, content)?;
        }
        let golden = folder.join("golden");
        golden::write(&golden, made.goldens, made.size).map_err(|source| fault(&golden, source))?;
        if ModelFolder::open(&folder)?.preprocessing != made.like.preprocessing {
            return Err(ExportError::Preprocessing(made.like.name.clone()));
        }
        Ok(folder)
    }

    /// Adds a file to what was written.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&self, name: &str, content: &[u8]) -> Result<(), ExportError> {
        let path = self.workshop().join(self.name.as_str()).join(name);
        std::fs::write(&path, content).map_err(|source| fault(&path, source))
    }

    /// Puts what was written in its place.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn put(&self) -> Result<(), ExportError> {
        let (workshop, path) = (self.workshop(), &self.path);
        let made = workshop.join(self.name.as_str());
        let old = workshop.join("old");
        if path.exists() {
            std::fs::rename(path, &old).map_err(|source| fault(path, source))?;
        }
        std::fs::rename(&made, path).map_err(|source| fault(path, source))?;
        std::fs::remove_dir_all(&workshop).map_err(|source| fault(&workshop, source))
    }
}

const PREPROCESSOR: &str = "preprocessor_config.json";
const CONFIG: &str = "config.json";

fn fault(path: &Path, source: std::io::Error) -> ExportError {
    ExportError::File { path: path.to_owned(), source }
}

/// `config.json`; timm's preprocessing stands in it and is carried over.
fn config(made: &Made<'_>) -> Result<Value, ExportError> {
    let labels = made.categories.iter().map(ToString::to_string);
    let id2label: Map<String, Value> =
        labels.clone().enumerate().map(|(id, label)| (id.to_string(), label.into())).collect();
    let label2id: Map<String, Value> =
        labels.enumerate().map(|(id, label)| (label, id.into())).collect();
    let mut config = json!({
        "architectures": ["ImageClassification"],
        "model_type": "aisle",
        "problem_type": "single_label_classification",
        "num_labels": made.categories.len(),
        "id2label": id2label,
        "label2id": label2id,
    });
    let path = made.like.path.join(CONFIG);
    let like = read_json(&path)?;
    if let (Some(timm), Some(config)) = (like.get("pretrained_cfg"), config.as_object_mut()) {
        config.insert("pretrained_cfg".to_owned(), timm.clone());
    }
    Ok(config)
}

fn read_json(path: &Path) -> Result<Value, ExportError> {
    let text = std::fs::read(path).map_err(|source| fault(path, source))?;
    serde_json::from_slice(&text).map_err(|error| fault(path, std::io::Error::other(error)))
}

/// Writes the shorter side that pictures are resized to where it stands in
/// their own file, which training may have changed.
fn carry_size(steps: &mut Value, used: &Preprocessing) {
    let edge = used.resize.map(|resize| resize.to);
    let (Some(ResizeTo::ShortestEdge(edge)), Some(steps)) = (edge, steps.as_object_mut()) else {
        return;
    };
    let size = steps.get_mut("size").and_then(|size| size.get_mut("shortest_edge"));
    if let Some(size) = size {
        *size = edge.into();
    }
}
