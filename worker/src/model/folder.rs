//! Opening a model folder: every file is read and held against the others,
//! so that what is wrong is said before anything is served.

use std::path::{Path, PathBuf};

use aisle_shared::domain::{Acceptance, Activation, ModelName};
use serde::de::DeserializeOwned;

use super::config::RawConfig;
use super::digest::{digest, network_files};
use super::error::{FolderError, KeyProblem};
use super::extra::{Extra, Tolerance};
use super::preprocessor::{Preprocessing, RawPreprocessor};
use super::taxonomy::Taxonomy;
use super::timm::TimmReader;

pub(super) const CONFIG: &str = "config.json";
pub(super) const PREPROCESSOR: &str = "preprocessor_config.json";
pub(super) const EXTRA: &str = "aisle.json";
/// Where the network is looked for, first come first served.
const NETWORKS: [&str; 2] = ["model.onnx", "onnx/model.onnx"];

/// A model folder whose files agree with each other.
#[derive(Debug, Clone)]
pub struct ModelFolder {
    /// The model's name: that of its folder.
    pub name: ModelName,
    /// The folder.
    pub path: PathBuf,
    /// The ONNX file.
    pub network: PathBuf,
    /// A digest of every file that answers depend on.
    pub version: String,
    /// The labels and their tree.
    pub taxonomy: Taxonomy,
    /// What turns logits into scores.
    pub activation: Activation,
    /// What logits are divided by first.
    pub temperature: f32,
    /// The network's output that holds the logits, where the folder says so.
    pub logits: Option<String>,
    /// How far faster ways to run the network may be from it.
    pub tolerance: Tolerance,
    /// From which scores on answers can be accepted without a human, the lowest
    /// precision first.
    pub accept: Vec<Acceptance>,
    /// What is done to an image first.
    pub preprocessing: Preprocessing,
}

impl ModelFolder {
    /// Whether a folder means to be a model: it has a configuration or a network.
    #[must_use]
    pub fn looks_like_one(path: &Path) -> bool {
        path.join(CONFIG).is_file() || network_in(path).is_some()
    }

    /// Opens a folder.
    ///
    /// # Errors
    /// What is missing or wrong, with the file and the key.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let name = name_of(path)?;
        let network = network_in(path).ok_or_else(|| FolderError::Missing {
            folder: path.to_owned(),
            wanted: "model.onnx or onnx/model.onnx",
        })?;

        let config_file = path.join(CONFIG);
        let config: RawConfig = read_json(&config_file)?
            .ok_or_else(|| FolderError::Missing { folder: path.to_owned(), wanted: CONFIG })?;
        let in_config = |problem: KeyProblem| problem.in_file(&config_file);
        let labels = config.labels().map_err(in_config)?;
        let activation = config.activation().map_err(in_config)?;

        let extra_file = path.join(EXTRA);
        let extra: Extra = read_json(&extra_file)?.unwrap_or_default();
        let extra = extra.check(labels.len()).map_err(|problem| problem.in_file(&extra_file))?;

        let in_extra = |problem: KeyProblem| problem.in_file(&extra_file);
        let taxonomy = Taxonomy::new(labels, &extra);
        let accept = extra.acceptances(taxonomy.levels().len(), activation).map_err(in_extra)?;

        let mut files = vec![config_file.clone()];
        let preprocessor_file = path.join(PREPROCESSOR);
        for file in [&preprocessor_file, &extra_file] {
            if file.is_file() {
                files.push(file.clone());
            }
        }
        files.extend(network_files(&network)?);

        Ok(Self {
            name,
            path: path.to_owned(),
            version: digest(path, &files)?,
            taxonomy,
            activation,
            temperature: extra.temperature,
            logits: extra.logits,
            tolerance: extra.tolerance,
            accept,
            preprocessing: preprocessing(path, &config, &config_file)?,
            network,
        })
    }
}

impl ModelFolder {
    /// Bytes of the network's files.
    ///
    /// # Errors
    /// When they cannot be looked at.
    pub(crate) fn network_bytes(&self) -> Result<u64, FolderError> {
        let length = |file: &PathBuf| {
            let found = file.metadata().map_err(|source| FolderError::unreadable(file, source));
            found.map(|found| found.len())
        };
        network_files(&self.network)?.iter().map(length).sum()
    }
}

/// The preprocessing that a folder describes: in its preprocessor file, or
/// in timm's `pretrained_cfg`.
fn preprocessing(
    folder: &Path,
    config: &RawConfig,
    config_file: &Path,
) -> Result<Preprocessing, FolderError> {
    let file = folder.join(PREPROCESSOR);
    let raw: Option<RawPreprocessor> = read_json(&file)?;
    let timm = |reader| {
        config
            .pretrained_cfg
            .as_ref()
            .map(|timm| timm.preprocessing(reader).map_err(|problem| problem.in_file(config_file)))
    };
    let found = match &raw {
        Some(raw) if raw.class().is_ok_and(|class| class.starts_with("TimmWrapper")) => {
            timm(TimmReader::Transformers)
        }
        Some(raw) => Some(raw.preprocessing().map_err(|problem| problem.in_file(&file))),
        None => timm(TimmReader::Timm),
    };
    found.unwrap_or_else(|| {
        Err(FolderError::Missing {
            folder: folder.to_owned(),
            wanted: "preprocessor_config.json, nor a pretrained_cfg in config.json",
        })
    })
}

fn name_of(path: &Path) -> Result<ModelName, FolderError> {
    let real = path.canonicalize().map_err(|source| FolderError::unreadable(path, source))?;
    // The name as it was given, not where a link leads, unless it was given as `.`.
    let last = path.file_name().or(real.file_name()).unwrap_or_default();
    last.to_string_lossy()
        .parse()
        .map_err(|source| FolderError::Name { folder: path.to_owned(), source })
}

pub(super) fn network_in(folder: &Path) -> Option<PathBuf> {
    NETWORKS.iter().map(|name| folder.join(name)).find(|file| file.is_file())
}

/// A file's JSON; `None` where there is no file.
fn read_json<T: DeserializeOwned>(file: &Path) -> Result<Option<T>, FolderError> {
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(FolderError::unreadable(file, source)),
    };
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|source| FolderError::Json { file: file.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Files(tempfile::TempDir);

    impl Files {
        fn whole() -> Self {
            let files = Self(tempfile::tempdir().unwrap());
            std::fs::create_dir(files.path()).unwrap();
            files
                .with("model.onnx", "graph")
                .with(CONFIG, r#"{"id2label":{"0":"cat","1":"dog"},"num_labels":2}"#)
                .with(PREPROCESSOR, r#"{"image_processor_type":"ViTImageProcessor"}"#)
        }

        fn path(&self) -> PathBuf {
            self.0.path().join("pets")
        }

        fn with(self, file: &str, content: &str) -> Self {
            let file = self.path().join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, content).unwrap();
            self
        }

        fn without(self, file: &str) -> Self {
            std::fs::remove_file(self.path().join(file)).unwrap();
            self
        }

        fn error(&self) -> String {
            ModelFolder::open(&self.path()).unwrap_err().to_string()
        }
    }

    #[test]
    fn a_whole_folder_opens_under_its_own_name() {
        let model = ModelFolder::open(&Files::whole().path()).unwrap();
        assert_eq!(model.name.as_str(), "pets");
        assert_eq!(model.taxonomy.labels(), ["cat", "dog"]);
    }

    #[test]
    fn the_network_may_lie_in_a_folder_of_its_own() {
        let files = Files::whole().without("model.onnx").with("onnx/model.onnx", "graph");
        let model = ModelFolder::open(&files.path()).unwrap();
        assert!(model.network.ends_with("onnx/model.onnx"));
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(Files::whole().without("model.onnx").error().contains("model.onnx"));
        assert!(Files::whole().without(CONFIG).error().contains("no config.json"));
        assert!(Files::whole().without(PREPROCESSOR).error().contains(PREPROCESSOR));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_file_and_key() {
        let error = Files::whole().with(CONFIG, r#"{"id2label":{"1":"cat"}}"#).error();
        assert!(error.contains("config.json: id2label: there is no label for 0"), "{error}");
        let error = Files::whole().with(PREPROCESSOR, r#"{"image_processor_type":"X"}"#).error();
        assert!(error.contains("preprocessor_config.json: image_processor_type"), "{error}");
        let error = Files::whole().with(EXTRA, r#"{"temperature":-1}"#).error();
        assert!(error.contains("aisle.json: temperature"), "{error}");
        let error = Files::whole().with(CONFIG, "{").error();
        assert!(error.contains("config.json: "), "{error}");
    }

    #[test]
    fn the_version_covers_the_extra_file() {
        let plain = ModelFolder::open(&Files::whole().path()).unwrap().version;
        let files = Files::whole().with(EXTRA, r#"{"temperature":2}"#);
        assert_ne!(ModelFolder::open(&files.path()).unwrap().version, plain);
    }

    #[test]
    fn a_timm_folder_needs_no_preprocessor_file() {
        let config = r#"{"label_names":["cat"],"pretrained_cfg":{"input_size":[3,8,8]}}"#;
        let files = Files::whole().without(PREPROCESSOR).with(CONFIG, config);
        let model = ModelFolder::open(&files.path()).unwrap();
        assert_eq!(model.preprocessing.output.height, 8);
    }
}
