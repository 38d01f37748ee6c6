//! What was tried and chosen, kept as JSON: one file for each model.

use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use aisle_shared::domain::{ModelName, Timestamp};
use serde::{Deserialize, Serialize};

use super::choice::Trial;
use super::closeness::Evidence;
use super::pictures::digest_of_samples;
use crate::machine::Machine;
use crate::model::{FolderError, ModelFolder, Tolerance};
use crate::plan::Plan;
use crate::runtime;

/// Counts up when trials or rules change, so that old choices are made anew.
const RULES: u32 = 1;

/// What a choice is made for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The model.
    pub folder: &'a ModelFolder,
    /// The ONNX Runtime library.
    pub library: &'a Path,
    /// Threads that a network may use.
    pub threads: NonZeroUsize,
    /// Images in a batch at most.
    pub max_batch: NonZeroUsize,
}

/// What a choice depends on. Where any of it is another, the choice is made
/// anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Key {
    rules: u32,
    model: String,
    variants: String,
    samples: String,
    library: String,
    machine: Machine,
    threads: NonZeroUsize,
    max_batch: NonZeroUsize,
}

impl Key {
    /// What a choice depends on now.
    ///
    /// # Errors
    /// When the model folder cannot be read.
    pub(crate) fn of(wanted: Wanted<'_>) -> Result<Self, FolderError> {
        let Wanted { folder, library, threads, max_batch } = wanted;
        Ok(Self {
            rules: RULES,
            model: folder.version.clone(),
            variants: folder.digest_of_variants()?,
            samples: digest_of_samples(&folder.path),
            library: runtime::fingerprint(library),
            machine: Machine::this().clone(),
            threads,
            max_batch,
        })
    }
}

/// What was tried for a model, and what was chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub(crate) key: Key,
    /// When.
    pub made_at: Timestamp,
    /// Seconds that it took.
    pub seconds: f64,
    /// What answers were compared on.
    pub evidence: Evidence,
    /// How close answers had to be.
    pub tolerance: Tolerance,
    /// Each way that was tried, the CPU provider in single precision first.
    pub trials: Vec<Trial>,
    /// The way that was chosen.
    pub chosen: Plan,
    /// Why.
    pub why: String,
}

impl Record {
    /// The record in a folder, if it was made for what is there now.
    pub(crate) fn read(folder: &Path, model: &ModelName, key: &Key) -> Option<Self> {
        let text = fs::read(file(folder, model)).ok()?;
        // One of another version of this program is as good as none.
        let record: Self = serde_json::from_slice(&text).ok()?;
        (record.key == *key).then_some(record)
    }

    /// Keeps the record, whole or not at all.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn write(&self, folder: &Path, model: &ModelName) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let file = file(folder, model);
        let new = file.with_extension(format!("{}.new", std::process::id()));
        fs::write(&new, serde_json::to_vec_pretty(self)?)?;
        fs::rename(new, file)
    }
}

fn file(folder: &Path, model: &ModelName) -> PathBuf {
    // A model's name may hold dots, so nothing is taken off its end.
    folder.join(format!("{model}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Precision, Provider};

    fn key() -> Key {
        Key {
            rules: RULES,
            model: "sha256:1".to_owned(),
            variants: String::new(),
            samples: String::new(),
            library: "libonnxruntime.so.1.24.1".to_owned(),
            machine: Machine::default(),
            threads: NonZeroUsize::MIN,
            max_batch: NonZeroUsize::MIN,
        }
    }

    #[test]
    fn a_choice_is_remembered_until_anything_that_it_depends_on_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let model: ModelName = "squeezenet-1.1".parse().unwrap();
        let record = Record {
            key: key(),
            made_at: Timestamp::now(),
            seconds: 2.5,
            evidence: Evidence::Generated,
            tolerance: Tolerance::default(),
            trials: Vec::new(),
            chosen: Plan::plain(Provider::OpenVino, Precision::Bf16, NonZeroUsize::MIN),
            why: "it is fast".to_owned(),
        };
        assert_eq!(Record::read(folder.path(), &model, &key()), None);
        record.write(folder.path(), &model).unwrap();
        assert_eq!(Record::read(folder.path(), &model, &key()), Some(record));

        let mut others: [Key; 4] = std::array::from_fn(|_| key());
        others[0].model.push('2');
        others[1].library.push('2');
        others[2].machine.gpus.push("NVIDIA L4".to_owned());
        others[3].threads = NonZeroUsize::MAX;
        for other in others {
            assert_eq!(Record::read(folder.path(), &model, &other), None, "{other:?}");
        }
    }

    #[test]
    fn a_record_that_cannot_be_read_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let model: ModelName = "pets".parse().unwrap();
        fs::write(file(folder.path(), &model), "{").unwrap();
        assert_eq!(Record::read(folder.path(), &model, &key()), None);
    }
}
