//! What training tells of itself: `report.json`, and the same for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aisle_shared::domain::ModelName;
use serde::Serialize;

use super::Agreement;
use super::tuning::Tuning;
use crate::dataset::{Part, Picture, Skipped};
use crate::features::{Backbone, Views};
use crate::head;
use crate::report::{Judgement, as_text};
use crate::split::{self, Fate, Split};

/// What training tells of itself.
#[derive(Debug, Clone, Serialize)]
pub struct Trained {
    /// The model.
    pub model: ModelName,
    /// The program that made it, with its version.
    pub made_by: String,
    /// What it was made from.
    pub data: Data,
    /// The networks below it.
    pub backbones: Vec<Below>,
    /// Whether the whole shorter side of a picture is seen.
    pub wide: bool,
    /// Whether each picture is looked at mirrored too.
    pub mirror: bool,
    /// How the data was split.
    pub split: split::Rules,
    /// How the head was found, where it was searched for by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<HeadReport>,
    /// How the network itself was tuned, where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tuning: Option<Tuning>,
    /// Figures on the pictures that settings were chosen on: they flatter.
    pub validation: Judgement,
    /// Figures on pictures that nothing was chosen on, where there are any.
    pub test: Option<Judgement>,
    /// How well serving agrees with training.
    pub agreement: Agreement,
    /// How long it took.
    pub seconds: Seconds,
}

/// A network below a head.
#[derive(Debug, Clone, Serialize)]
pub struct Below {
    /// Its model folder's name.
    pub name: ModelName,
    /// A digest of that folder.
    pub version: String,
    /// Features that it gives.
    pub features: usize,
}

/// How a head was found.
#[derive(Debug, Clone, Serialize)]
pub struct HeadReport {
    /// The rules.
    #[serde(flatten)]
    pub rules: head::Rules,
    /// Changed views of pictures that it learned from beside the pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub views: Option<Views>,
    /// The strength of regularisation that was chosen.
    pub lambda: f64,
    /// All that were tried.
    pub tried: Vec<head::Step>,
}

/// How long it took.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Seconds {
    /// Reading pictures and running networks.
    pub features: f64,
    /// Learning: finding the head, or tuning the network.
    pub head: f64,
    /// All.
    pub total: f64,
}

/// What a model was made from.
#[derive(Debug, Clone, Serialize)]
pub struct Data {
    /// Pictures of the data set, with those that were not used.
    pub pictures: usize,
    /// Pictures of each category in each part.
    pub categories: BTreeMap<String, BTreeMap<&'static str, usize>>,
    /// Categories with too few pictures, and their numbers.
    pub left_out: BTreeMap<String, usize>,
    /// Pictures whose content is that of another of the same category.
    pub duplicates: usize,
    /// Pictures whose content stands in more than one category.
    pub contradictions: Vec<String>,
    /// What was named or lay there and is no picture of a category.
    pub skipped: Vec<Skipped>,
    /// Pictures that could not be read.
    pub broken: Vec<Skipped>,
}

impl Data {
    pub(super) fn new(
        split: &Split,
        pictures: &[&Picture],
        skipped: Vec<Skipped>,
        broken: Vec<Skipped>,
    ) -> Self {
        let mut data = Self {
            pictures: pictures.len() + broken.len(),
            categories: BTreeMap::new(),
            left_out: (split.left_out.iter())
                .map(|(category, count)| (category.to_string(), *count))
                .collect(),
            duplicates: 0,
            contradictions: Vec::new(),
            skipped,
            broken,
        };
        for (picture, fate) in pictures.iter().zip(&split.fates) {
            match fate {
                Fate::Used(part) => {
                    let category = data.categories.entry(picture.category.to_string());
                    *category.or_default().entry(part.as_str()).or_default() += 1;
                }
                Fate::DuplicateOf(_) => data.duplicates += 1,
                Fate::ContradictedBy(_) => data.contradictions.push(picture.name.clone()),
                Fate::CategoryLeftOut => {}
            }
        }
        data
    }

    /// Pictures of a part.
    pub(crate) fn count(&self, part: Part) -> usize {
        self.categories.values().filter_map(|parts| parts.get(part.as_str())).sum()
    }

    /// What was not used, and how much of it.
    pub(crate) fn left_out_counts(&self) -> Vec<(usize, &'static str)> {
        let mut counts = vec![
            (self.skipped.len(), "skipped"),
            (self.broken.len(), "broken"),
            (self.duplicates, "twice there"),
            (self.contradictions.len(), "in more than one category"),
            (self.left_out.values().sum(), "in categories that are too small"),
        ];
        counts.retain(|(count, _)| *count > 0);
        counts
    }
}

impl Below {
    pub(super) fn new(backbone: &Backbone, features: usize) -> Self {
        let (name, version) = (backbone.folder.name.clone(), backbone.folder.version.clone());
        Self { name, version, features }
    }
}

impl Trained {
    /// The report for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a text cannot fail.
        let _ = self.write(&mut text);
        text
    }

    /// What it was made from, in a line.
    pub(crate) fn summary(&self) -> String {
        let [train, validation, test] = Part::ALL.map(|part| self.data.count(part));
        format!(
            "{} categories, learned from {train} pictures, chosen on {validation}, tested on {test}",
            self.data.categories.len()
        )
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "{}: {}", self.model, self.summary())?;
        for (count, why) in self.data.left_out_counts() {
            writeln!(text, "  not used: {count} {why}")?;
        }
        writeln!(text)?;
        text.push_str(&as_text("validation, which chose the settings", &self.validation));
        if let Some(test) = &self.test {
            writeln!(text)?;
            text.push_str(&as_text("test, which chose nothing", test));
        }
        let Agreement { pictures, largest_difference } = self.agreement;
        writeln!(
            text,
            "\nserved as trained: logits of {pictures} pictures within {largest_difference:.1e}"
        )?;
        let Seconds { features, head, total } = self.seconds;
        if let Some(tuning) = &self.tuning {
            let (best, done) = (tuning.best, tuning.epochs_done.len().saturating_sub(1));
            writeln!(text, "tuned on {}: {done} epochs, the best was {best}", tuning.device)?;
        }
        writeln!(text, "took {total:.1} s: features {features:.1} s, learning {head:.1} s")
    }
}
