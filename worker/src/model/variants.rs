//! Other networks of a model folder with the same meaning: half-precision and
//! quantised ones, as published folders name them (`onnx/model_fp16.onnx`,
//! `onnx/model_quantized.onnx`, `onnx/model_int8.onnx`).

use std::path::{Path, PathBuf};

use super::digest::{combined, digest, network_files};
use super::error::FolderError;
use super::folder::ModelFolder;

/// Where variants lie besides the network's own folder.
const FOLDER: &str = "onnx";

/// What stands before and behind a variant's name.
const BEFORE: &str = "model_";
const BEHIND: &str = ".onnx";

/// Parts of names that say for which processors a variant was made.
const MADE_FOR: [(&str, &str); 2] = [("arm64", "aarch64"), ("avx", "x86_64")];

/// Another network of a model folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variant {
    /// What the file's name says, such as `int8`.
    pub(crate) name: String,
    /// The ONNX file.
    pub(crate) network: PathBuf,
}

impl ModelFolder {
    /// The folder's variants that are meant for this kind of processor, by name.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub(crate) fn variants(&self) -> Result<Vec<Variant>, FolderError> {
        let own = self.network.parent().unwrap_or(&self.path).to_owned();
        let mut found = Vec::new();
        for folder in [own, self.path.join(FOLDER)] {
            if folder.is_dir() {
                found.extend(variants_in(&folder)?);
            }
        }
        found.sort_unstable_by(|a: &Variant, b| a.name.cmp(&b.name));
        found.dedup_by(|a, b| a.name == b.name);
        Ok(found)
    }

    /// The folder with a variant in its network's place. Its version is
    /// another, because its answers are.
    ///
    /// # Errors
    /// When the variant cannot be read.
    pub(crate) fn with(self, variant: Variant) -> Result<Self, FolderError> {
        let version = combined(&[&self.version, &self.digest_of(&variant)?]);
        Ok(Self { network: variant.network, version, ..self })
    }

    /// A digest of all variants, which changes with any of them.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(crate) fn digest_of_variants(&self) -> Result<String, FolderError> {
        let variants = self.variants()?;
        let digests: Result<Vec<_>, _> = variants.iter().map(|each| self.digest_of(each)).collect();
        let digests = digests?;
        Ok(combined(&digests.iter().map(String::as_str).collect::<Vec<_>>()))
    }

    fn digest_of(&self, variant: &Variant) -> Result<String, FolderError> {
        digest(&self.path, &network_files(&variant.network)?)
    }
}

fn variants_in(folder: &Path) -> Result<Vec<Variant>, FolderError> {
    let unreadable = |source| FolderError::unreadable(folder, source);
    let mut found = Vec::new();
    for entry in folder.read_dir().map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let file = entry.file_name();
        let name = file.to_str().and_then(name_of).filter(|_| entry.path().is_file());
        if let Some(name) = name {
            found.push(Variant { name: name.to_owned(), network: entry.path() });
        }
    }
    Ok(found)
}

/// The variant that a file's name stands for, if it is for this processor.
fn name_of(file: &str) -> Option<&str> {
    let name = file.strip_prefix(BEFORE)?.strip_suffix(BEHIND)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let foreign = MADE_FOR
        .iter()
        .any(|(part, processor)| name.contains(part) && *processor != std::env::consts::ARCH);
    (!name.is_empty() && name.bytes().all(plain) && !foreign).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> (tempfile::TempDir, ModelFolder) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("pets");
        std::fs::create_dir_all(path.join(FOLDER)).unwrap();
        let config = r#"{"id2label":{"0":"cat","1":"dog"}}"#;
        std::fs::write(path.join("config.json"), config).unwrap();
        let preprocessor = r#"{"image_processor_type":"ViTImageProcessor"}"#;
        std::fs::write(path.join("preprocessor_config.json"), preprocessor).unwrap();
        for file in files {
            std::fs::write(path.join(file), *file).unwrap();
        }
        let folder = ModelFolder::open(&path).unwrap();
        (root, folder)
    }

    #[test]
    fn variants_are_found_where_published_folders_have_them() {
        let (_root, folder) = folder(&[
            "onnx/model.onnx",
            "onnx/model_int8.onnx",
            "onnx/model_fp16.onnx",
            "onnx/model_fp16.onnx_data",
            "onnx/decoder_model.onnx",
            "onnx/model_bad name.onnx",
        ]);
        let names: Vec<String> =
            folder.variants().unwrap().into_iter().map(|variant| variant.name).collect();
        assert_eq!(names, ["fp16", "int8"]);
    }

    #[test]
    fn variants_for_other_processors_are_passed_over() {
        let foreign = MADE_FOR.iter().filter(|(_, to)| *to != std::env::consts::ARCH);
        for (part, _) in foreign {
            assert_eq!(name_of(&format!("model_qint8_{part}.onnx")), None);
        }
        assert_eq!(name_of("model_uint8.onnx"), Some("uint8"));
    }

    #[test]
    fn a_variant_that_runs_has_a_version_of_its_own() {
        let (_root, folder) = folder(&["model.onnx", "model_int8.onnx"]);
        let own = folder.version.clone();
        let all = folder.digest_of_variants().unwrap();
        let variant = folder.variants().unwrap().remove(0);
        let file = variant.network.clone();
        let with = || folder.clone().with(variant.clone()).unwrap();
        let first = with().version;
        assert_ne!(first, own);
        assert_eq!(with().network, file);

        std::fs::write(&file, "another").unwrap();
        assert_ne!(with().version, first);
        assert_ne!(folder.digest_of_variants().unwrap(), all);
        assert_eq!(ModelFolder::open(&folder.path).unwrap().version, own);
    }
}
