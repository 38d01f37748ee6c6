//! The rows of a part, with what they show.

use ndarray::{Array2, Axis};

use crate::dataset::{Category, Part, Picture};
use crate::features::Extracted;
use crate::head::Known;
use crate::split::Split;

/// A part's pictures: a row of features and the category of each.
#[derive(Debug)]
pub struct Set {
    /// The places of the pictures among those that could be read.
    pub places: Vec<usize>,
    /// A row of features for each.
    pub features: Array2<f32>,
    /// The category of each, by its place.
    pub labels: Vec<usize>,
}

impl Set {
    pub(super) fn of(
        part: Part,
        split: &Split,
        extracted: &Extracted,
        pictures: &[&Picture],
    ) -> Self {
        let label = |place: &usize| {
            let category: Option<&Category> = pictures.get(*place).map(|picture| &picture.category);
            category.and_then(|category| split.categories.binary_search(category).ok())
        };
        let (places, labels): (Vec<_>, Vec<_>) =
            split.places(part).filter_map(|place| Some((place, label(&place)?))).unzip();
        let features = extracted.rows.select(Axis(0), &places);
        Self { places, features, labels }
    }

    pub(super) fn known(&self) -> Known<'_> {
        Known { features: self.features.view(), labels: &self.labels }
    }
}
