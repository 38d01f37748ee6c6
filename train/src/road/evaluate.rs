//! `aisle evaluate`: a model folder held against pictures that are known.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;

use aisle_shared::domain::ModelName;
use aisle_worker::model::ModelFolder;
use aisle_worker::preprocess::Framing;
use aisle_worker::tune::TuningSettings;
use serde::Serialize;

use crate::TrainError;
use crate::dataset::{Category, Dataset, Part, Picture, Skipped, Source};
use crate::features::{FeatureError, Machine, Network, extract};
use crate::page::{self, Album};
use crate::report::{Judgement, Pool, as_text, judge};
use crate::robustness::{Robustness, Sample, measure};
use crate::watch::Watcher;

/// Categories of a model that an error names.
const NAMED: usize = 5;

/// How a model is judged.
#[derive(Debug, Clone)]
pub struct EvaluateSettings {
    /// The model folder.
    pub model: PathBuf,
    /// The data set.
    pub source: Source,
    /// The only part of it that counts, if not all do.
    pub part: Option<Part>,
    /// How many pictures at most are made worse, to see how well the model
    /// holds then.
    pub robustness: Option<usize>,
    /// The HTML file to write.
    pub page: Option<PathBuf>,
    /// What the machine offers.
    pub machine: Machine,
    /// Where ways to run networks are tried and remembered, where the model is
    /// to run in the way that is the fastest here, and not as the machine says.
    pub tuned: Option<TuningSettings>,
}

/// How a model was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    /// Where.
    pub provider: String,
    /// In which arithmetic, or which variant of the network.
    pub precision: String,
    /// Whether trials on this machine have chosen it.
    pub tuned: bool,
}

/// How good a model is on a data set.
#[derive(Debug, Clone, Serialize)]
pub struct Evaluation {
    /// The model.
    pub model: ModelName,
    /// A digest of its folder.
    pub version: String,
    /// How it was run.
    pub run: Run,
    /// Categories that the model does not have, with their pictures: they are
    /// not judged.
    pub unknown: BTreeMap<String, usize>,
    /// What was named or lay there and is no picture of a category.
    pub skipped: Vec<Skipped>,
    /// Pictures that could not be read.
    pub broken: Vec<Skipped>,
    /// The figures.
    pub judgement: Judgement,
    /// How well it holds when pictures are worse, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub robustness: Option<Robustness>,
}

/// Judges a model folder by a data set, or a part of it, with the code that
/// serves.
///
/// # Errors
/// When the folder or the data set cannot be used, or they have no category
/// in common.
pub fn evaluate(
    settings: &EvaluateSettings,
    watcher: &dyn Watcher,
) -> Result<Evaluation, TrainError> {
    settings.machine.work(|| walk(settings, watcher))?
}

fn walk(settings: &EvaluateSettings, watcher: &dyn Watcher) -> Result<Evaluation, TrainError> {
    let EvaluateSettings { model, source, part, robustness, page, machine, tuned } = settings;
    let folder = ModelFolder::open(model).map_err(FeatureError::from)?;
    let mut dataset = Dataset::open(source)?;
    dataset.pictures.retain(|picture| part.is_none() || picture.part == *part);
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
    let network = match tuned {
        Some(tuning) => Network::as_tuned(&folder, machine, tuning)?,
        None => Network::of_model(&folder, machine)?,
    };
    let [provider, precision] = network.way().clone();
    let run = Run { provider, precision, tuned: tuned.is_some() };
    let mut networks = [network];
    let framing = Framing::of(&folder.preprocessing);
    let extracted = extract(&known, &mut networks, &framing, machine, watcher)?;
    let (pictures, labels): (Vec<&Picture>, Vec<usize>) = (extracted.places.iter())
        .filter_map(|place| known.get(*place))
        .filter_map(|picture| Some((picture, *places.get(&picture.category)?)))
        .unzip();
    let pool = Pool {
        categories: &categories,
        logits: extracted.rows.view(),
        labels: &labels,
        pictures: &pictures,
    };
    let judgement = judge(pool, f64::from(folder.temperature), &folder.accept);
    let [network] = &mut networks;
    let robustness = (robustness.as_ref())
        .map(|most| measure(Sample { pool, most: *most }, &folder, network, machine, watcher))
        .transpose()?;
    let album = page.is_some().then(|| Album::of(&[&judgement], &pictures, machine));
    let mut counts = BTreeMap::new();
    for picture in unknown {
        *counts.entry(picture.category.to_string()).or_default() += 1;
    }
    let evaluation = Evaluation {
        model: folder.name,
        version: folder.version,
        run,
        unknown: counts,
        skipped: dataset.skipped,
        broken: extracted.broken,
        judgement,
        robustness,
    };
    if let (Some(path), Some(album)) = (page, album) {
        let text = page::of_evaluation(&evaluation, &album)?;
        let fault = |source| FeatureError::File { path: path.clone(), source };
        std::fs::write(path, text).map_err(fault)?;
    }
    Ok(evaluation)
}

impl fmt::Display for Run {
    /// Such as `openvino bf16, as tuned`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tuned = if self.tuned { ", as tuned" } else { "" };
        write!(f, "{} {}{tuned}", self.provider, self.precision)
    }
}

impl Evaluation {
    /// The evaluation for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = as_text(self.model.as_str(), &self.judgement);
        text.push_str(&format!("  run by {}\n", self.run));
        for (count, why) in self.left_out() {
            text.push_str(&format!("  not judged: {count} {why}\n"));
        }
        if let Some(robustness) = &self.robustness {
            text.push_str(&format!("\n{}", robustness.text()));
        }
        text
    }

    /// What was not judged, and how much of it.
    pub(crate) fn left_out(&self) -> Vec<(usize, &'static str)> {
        let unknown: usize = self.unknown.values().sum();
        let mut left_out = vec![
            (unknown, "in categories that the model does not have"),
            (self.skipped.len(), "skipped"),
            (self.broken.len(), "broken"),
        ];
        left_out.retain(|(count, _)| *count > 0);
        left_out
    }
}
