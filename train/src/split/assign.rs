//! Giving each picture of a category its part. The order is that of a digest
//! of seed and content, so it depends on nothing else: not on names, not on
//! the order of files, not on a random generator's version.

use sha2::{Digest as _, Sha256};

use super::{Digest, Fingerprint, Rules};
use crate::dataset::{Part, Picture};

pub(super) struct Assigner<'a> {
    pictures: &'a [(&'a Picture, Fingerprint)],
    seed: u64,
    validation: f64,
    test: f64,
}

impl<'a> Assigner<'a> {
    /// Where the data set itself gives parts, they hold, and only a missing
    /// validation part is cut from what is learned from.
    pub(super) fn new(pictures: &'a [(&'a Picture, Fingerprint)], rules: &Rules) -> Self {
        let given = |part| pictures.iter().any(|(picture, _)| picture.part == Some(part));
        let is_given = Part::ALL.into_iter().any(given);
        Self {
            pictures,
            seed: rules.seed,
            validation: if given(Part::Validation) { 0.0 } else { rules.validation },
            test: if is_given { 0.0 } else { rules.test },
        }
    }

    /// The parts of a category's pictures; `None` when nothing would be
    /// learned from.
    pub(super) fn parts(&self, places: &[usize]) -> Option<Vec<Part>> {
        let given = |place: &usize| self.pictures.get(*place).and_then(|(picture, _)| picture.part);
        let mut parts: Vec<Part> =
            places.iter().map(|place| given(place).unwrap_or(Part::Train)).collect();
        let mut free: Vec<usize> =
            (0..parts.len()).filter(|nth| parts.get(*nth) == Some(&Part::Train)).collect();
        free.sort_by_cached_key(|nth| places.get(*nth).map(|place| self.order(*place)));
        let test = take(free.len(), self.test);
        let validation = take(free.len(), self.validation);
        if free.len() <= test + validation {
            return None;
        }
        for (nth, place) in free.into_iter().enumerate() {
            let part = match nth {
                nth if nth < test => Part::Test,
                nth if nth < test + validation => Part::Validation,
                _ => Part::Train,
            };
            if let Some(slot) = parts.get_mut(place) {
                *slot = part;
            }
        }
        Some(parts)
    }

    fn order(&self, place: usize) -> Digest {
        let pixels = self.pictures.get(place).map(|(_, fingerprint)| fingerprint.pixels);
        let mut hasher = Sha256::new();
        hasher.update(self.seed.to_le_bytes());
        hasher.update(pixels.unwrap_or_default());
        hasher.finalize().into()
    }
}

/// A share of a number, at least one where there is a share.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of pictures are far below 2^52, and a share of one lies within it"
)]
fn take(count: usize, share: f64) -> usize {
    if share > 0.0 { ((count as f64 * share).round() as usize).max(1) } else { 0 }
}
