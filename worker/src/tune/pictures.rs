//! The pictures that answers are compared on.

use std::path::{Path, PathBuf};

use aisle_shared::image_probe::ImageLimits;
use sha2::{Digest as _, Sha256};

use super::closeness::Evidence;
use super::generated;
use crate::decode::decode;
use crate::model::ModelFolder;
use crate::preprocess::Preprocessor;

/// Folder of a model folder with photographs as it is asked about.
const SAMPLES: &str = "samples";

/// Samples that say enough; with fewer, pictures are generated instead.
const ENOUGH: usize = 32;

/// Samples that are looked at.
const MOST: usize = 200;

/// Pictures that are generated.
const GENERATED: usize = 64;

/// Pictures as a network takes them.
#[derive(Debug)]
pub(super) struct Pictures {
    pub(super) evidence: Evidence,
    /// Each a tensor.
    pub(super) tensors: Vec<Vec<f32>>,
}

impl Pictures {
    /// A folder's samples, else generated ones. Samples that cannot be
    /// decoded are left out.
    pub(super) fn of(folder: &ModelFolder) -> Self {
        let preprocessor = Preprocessor::new(&folder.preprocessing);
        let limits = ImageLimits::default();
        let sample = |path: &PathBuf| {
            let bytes = std::fs::read(path).ok()?;
            Some(preprocessor.run(&decode(&bytes, &limits).ok()?.pixels))
        };
        let tensors: Vec<_> = samples(&folder.path).iter().filter_map(sample).collect();
        if tensors.len() >= ENOUGH {
            return Self { evidence: Evidence::Samples, tensors };
        }
        let pictures = generated::pictures(GENERATED);
        let tensors = pictures.iter().map(|picture| preprocessor.run(picture)).collect();
        Self { evidence: Evidence::Generated, tensors }
    }
}

/// What tells one set of samples from another: names and lengths.
pub(super) fn digest_of_samples(folder: &Path) -> String {
    let mut hasher = Sha256::new();
    for path in samples(folder) {
        let length = path.metadata().map_or(0, |metadata| metadata.len());
        hasher.update(path.file_name().unwrap_or_default().as_encoded_bytes());
        hasher.update([0]);
        hasher.update(length.to_le_bytes());
    }
    hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The sample files, as many as are looked at, from all over the list.
fn samples(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.join(SAMPLES).read_dir().into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort_unstable();
    let step = files.len().div_ceil(MOST).max(1);
    files.into_iter().step_by(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_taken_from_all_over_the_folder() {
        let root = tempfile::tempdir().unwrap();
        assert!(samples(root.path()).is_empty());
        let none = digest_of_samples(root.path());
        std::fs::create_dir(root.path().join(SAMPLES)).unwrap();
        for number in 0..450 {
            std::fs::write(root.path().join(SAMPLES).join(format!("{number:03}.jpg")), "x")
                .unwrap();
        }
        let taken = samples(root.path());
        assert_eq!(taken.len(), 150);
        assert!(taken[149].ends_with("447.jpg"));
        assert_ne!(digest_of_samples(root.path()), none);
    }
}
