//! The rows of a part, with what they show.

use ndarray::{Array2, Axis};

use crate::dataset::{Category, Part, Picture};
use crate::features::Extracted;
use crate::head::Known;
use crate::split::Split;

/// A part's pictures: a row of features and the category of each.
pub(super) struct Set<'a> {
    pub(super) pictures: Vec<&'a Picture>,
    pub(super) features: Array2<f32>,
    pub(super) labels: Vec<usize>,
}

impl<'a> Set<'a> {
    pub(super) fn of(
        part: Part,
        split: &Split,
        extracted: &Extracted,
        pictures: &[&'a Picture],
    ) -> Self {
        let label = |place: &usize| {
            let category: Option<&Category> = pictures.get(*place).map(|picture| &picture.category);
            category.and_then(|category| split.categories.binary_search(category).ok())
        };
        let (places, labels): (Vec<_>, Vec<_>) =
            split.places(part).filter_map(|place| Some((place, label(&place)?))).unzip();
        let features = extracted.rows.select(Axis(0), &places);
        let pictures = places.iter().filter_map(|place| pictures.get(*place).copied()).collect();
        Self { pictures, features, labels }
    }

    pub(super) fn known(&self) -> Known<'_> {
        Known { features: self.features.view(), labels: &self.labels }
    }
}
