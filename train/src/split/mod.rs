//! Which pictures are learned from, which are chosen by, and which judge.
//!
//! What must never happen: the same content stands in two parts, two runs with
//! the same seed differ.

mod assign;
mod duplicates;
mod fingerprint;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::dataset::{Category, Part, Picture};

pub use fingerprint::{Digest, Fingerprint};

/// How a data set is split.
#[derive(Debug, Clone, Serialize)]
pub struct Rules {
    /// Two runs with the same seed split alike.
    pub seed: u64,
    /// The share of each category that settings are chosen on.
    pub validation: f64,
    /// The share of each category that judges in the end.
    pub test: f64,
    /// Categories with fewer pictures are left out.
    pub minimum: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self { seed: 0, validation: 0.15, test: 0.15, minimum: 10 }
    }
}

/// What becomes of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It plays a part.
    Used(Part),
    /// The picture at this place has the same content.
    DuplicateOf(usize),
    /// The picture at this place has the same content and another category.
    ContradictedBy(usize),
    /// Its category has too few pictures.
    CategoryLeftOut,
}

/// Why a split cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SplitError {
    /// The shares leave nothing to learn from.
    #[error(
        "validation takes {validation} and test {test} of the pictures: together below 1, and validation above 0"
    )]
    Shares {
        /// The share for validation.
        validation: f64,
        /// The share for testing.
        test: f64,
    },
    /// There is nothing to tell apart.
    #[error("{categories} categories have at least {minimum} different pictures: two are needed")]
    TooFewCategories {
        /// How many are left.
        categories: usize,
        /// The count that is asked for.
        minimum: usize,
    },
    /// A split that was given has no picture to choose settings on.
    #[error("no picture is left for {0}")]
    EmptyPart(&'static str),
}

/// A data set's split.
#[derive(Debug, Clone)]
pub struct Split {
    /// What becomes of each picture, in the order given.
    pub fates: Vec<Fate>,
    /// The categories that are used, in order.
    pub categories: Vec<Category>,
    /// The categories that are left out, with their numbers of pictures.
    pub left_out: Vec<(Category, usize)>,
}

impl Split {
    /// Splits pictures, each given with what its content is told by.
    ///
    /// # Errors
    /// When the rules contradict each other, or leave too little.
    pub fn of(pictures: &[(&Picture, Fingerprint)], rules: &Rules) -> Result<Self, SplitError> {
        let Rules { validation, test, .. } = *rules;
        let is_share = |share: f64| (0.0..1.0).contains(&share);
        if !is_share(test) || !is_share(validation) || validation <= 0.0 || validation + test >= 1.0
        {
            return Err(SplitError::Shares { validation, test });
        }
        let mut fates = duplicates::fates(pictures);
        let mut by_category: BTreeMap<&Category, Vec<usize>> = BTreeMap::new();
        for (place, ((picture, _), fate)) in pictures.iter().zip(&fates).enumerate() {
            if matches!(fate, Fate::Used(_)) {
                by_category.entry(&picture.category).or_default().push(place);
            }
        }
        let assigner = assign::Assigner::new(pictures, rules);
        let (mut categories, mut left_out) = (Vec::new(), Vec::new());
        for (category, places) in by_category {
            let parts = (places.len() >= rules.minimum).then(|| assigner.parts(&places)).flatten();
            match parts {
                Some(_) => categories.push(category.clone()),
                None => left_out.push((category.clone(), places.len())),
            }
            let parts = parts.unwrap_or_default();
            for (nth, place) in places.into_iter().enumerate() {
                if let Some(fate) = fates.get_mut(place) {
                    *fate = parts.get(nth).map_or(Fate::CategoryLeftOut, |part| Fate::Used(*part));
                }
            }
        }
        if categories.len() < 2 {
            let (categories, minimum) = (categories.len(), rules.minimum);
            return Err(SplitError::TooFewCategories { categories, minimum });
        }
        if !fates.contains(&Fate::Used(Part::Validation)) {
            return Err(SplitError::EmptyPart(Part::Validation.as_str()));
        }
        Ok(Self { fates, categories, left_out })
    }

    /// The places of a part's pictures.
    pub fn places(&self, part: Part) -> impl Iterator<Item = usize> {
        let fates = self.fates.iter().enumerate();
        fates.filter(move |(_, fate)| **fate == Fate::Used(part)).map(|(place, _)| place)
    }
}

#[cfg(test)]
mod tests;
