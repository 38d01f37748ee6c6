//! `aisle evaluate`: a model folder held against pictures that are known.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use aisle_shared::domain::ModelName;
use aisle_worker::model::ModelFolder;
use aisle_worker::preprocess::Framing;
use serde::Serialize;

use crate::TrainError;
use crate::dataset::{Category, Dataset, Part, Picture, Skipped, Source};
use crate::features::{FeatureError, Machine, Network, extract};
use crate::report::{Judgement, Pool, as_text, judge};
use crate::watch::Watcher;

/// Categories of a model that an error names.
const NAMED: usize = 5;

/// How good a model is on a data set.
#[derive(Debug, Clone, Serialize)]
pub struct Evaluation {
    /// The model.
    pub model: ModelName,
    /// A digest of its folder.
    pub version: String,
    /// Categories that the model does not have, with their pictures: they are
    /// not judged.
    pub unknown: BTreeMap<String, usize>,
    /// What was named or lay there and is no picture of a category.
    pub skipped: Vec<Skipped>,
    /// Pictures that could not be read.
    pub broken: Vec<Skipped>,
    /// The figures.
    pub judgement: Judgement,
}

/// Judges a model folder by a data set, or a part of it, with the code that
/// serves.
///
/// # Errors
/// When the folder or the data set cannot be used, or they have no category
/// in common.
pub fn evaluate(
    model: &Path,
    source: &Source,
    part: Option<Part>,
    machine: &Machine,
    watcher: &dyn Watcher,
) -> Result<Evaluation, TrainError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(machine.threads.get()).build()?;
    pool.install(|| walk(model, source, part, machine, watcher))
}

fn walk(
    model: &Path,
    source: &Source,
    part: Option<Part>,
    machine: &Machine,
    watcher: &dyn Watcher,
) -> Result<Evaluation, TrainError> {
    let folder = ModelFolder::open(model).map_err(FeatureError::from)?;
    let mut dataset = Dataset::open(source)?;
    dataset.pictures.retain(|picture| part.is_none() || picture.part == part);
    let categories: Vec<Category> = (folder.taxonomy.paths().iter())
        .map(|path| Category::new(path).ok_or_else(|| TrainError::Report(path.join(" > "))))
        .collect::<Result<_, _>>()?;
    let places: HashMap<&Category, usize> =
        categories.iter().enumerate().map(|(place, category)| (category, place)).collect();
    let (known, unknown): (Vec<Picture>, Vec<Picture>) =
        dataset.pictures.into_iter().partition(|picture| places.contains_key(&picture.category));
    if known.is_empty() {
        let wanted = categories.iter().take(NAMED).map(ToString::to_string).collect();
        return Err(TrainError::Unknown { path: source.path.clone(), wanted });
    }
    let mut networks = [Network::of_model(&folder, machine)?];
    let framing = Framing::of(&folder.preprocessing);
    let extracted = extract(&known, &mut networks, &framing, machine, watcher)?;
    let shown = extracted.places.iter().filter_map(|place| known.get(*place));
    let labels: Vec<usize> =
        shown.filter_map(|picture| places.get(&picture.category).copied()).collect();
    let pool = Pool { categories: &categories, logits: extracted.rows.view(), labels: &labels };
    let judgement = judge(pool, f64::from(folder.temperature), &folder.accept);
    let mut counts = BTreeMap::new();
    for picture in unknown {
        *counts.entry(picture.category.to_string()).or_default() += 1;
    }
    Ok(Evaluation {
        model: folder.name,
        version: folder.version,
        unknown: counts,
        skipped: dataset.skipped,
        broken: extracted.broken,
        judgement,
    })
}

impl Evaluation {
    /// The evaluation for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = as_text(self.model.as_str(), &self.judgement);
        let unknown: usize = self.unknown.values().sum();
        let not_judged = [
            (unknown, "in categories that the model does not have"),
            (self.skipped.len(), "skipped"),
            (self.broken.len(), "broken"),
        ];
        for (count, why) in not_judged.into_iter().filter(|(count, _)| *count > 0) {
            text.push_str(&format!("  not judged: {count} {why}\n"));
        }
        text
    }
}
