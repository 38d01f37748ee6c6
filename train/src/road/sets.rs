//! The rows of a part, with what they show.

use ndarray::{Array2, Axis, ShapeError, concatenate};

use crate::dataset::{Category, Part, Picture};
use crate::features::Extracted;
use crate::head::Known;
use crate::split::Split;

/// A part's pictures: a row of features and the category of each.
#[derive(Debug)]
pub struct Set {
    /// The places of the pictures among those that could be read.
    pub places: Vec<usize>,
    /// A row of features for each, then maybe rows of views of them.
    pub features: Array2<f32>,
    /// The category of each row, by its place.
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

    /// The pictures, then views of them: one view of all after the other.
    pub(super) fn with_views(&self, views: &Array2<f32>) -> Result<Self, ShapeError> {
        let features = concatenate(Axis(0), &[self.features.view(), views.view()])?;
        let times = features.nrows().checked_div(self.labels.len()).unwrap_or(0);
        Ok(Self { places: self.places.clone(), features, labels: self.labels.repeat(times) })
    }

    pub(super) fn known(&self) -> Known<'_> {
        Known { features: self.features.view(), labels: &self.labels, plain: self.places.len() }
    }
}
