//! Finding pictures with the same content. One of them stays, and none where
//! they are said to show different things: nobody knows which is right.

use std::collections::HashMap;

use super::{Fate, Fingerprint};
use crate::dataset::{Part, Picture};

/// Which pictures stay; those that do are `Used(Train)` until parts are given.
pub(super) fn fates(pictures: &[(&Picture, Fingerprint)]) -> Vec<Fate> {
    let mut alike: HashMap<_, Vec<usize>> = HashMap::new();
    for (place, (_, fingerprint)) in pictures.iter().enumerate() {
        // Equal files have equal pixels, so the pixels alone tell.
        alike.entry(fingerprint.pixels).or_default().push(place);
    }
    let mut fates = vec![Fate::Used(Part::Train); pictures.len()];
    for group in alike.into_values().filter(|group| group.len() > 1) {
        let picture = |place: usize| pictures.get(place).map(|(picture, _)| *picture);
        // The copy in the part that judges most strictly stays where it is.
        let strictness = |place: usize| picture(place).and_then(|picture| picture.part);
        let kept = group.iter().copied().rev().max_by_key(|place| strictness(*place));
        let Some(kept) = kept else { continue };
        let category = |place: usize| picture(place).map(|picture| &picture.category);
        let other = group.iter().copied().find(|place| category(*place) != category(kept));
        for place in group {
            let fate = match other {
                None if place == kept => continue,
                None => Fate::DuplicateOf(kept),
                Some(other) if category(place) == category(kept) => Fate::ContradictedBy(other),
                Some(_) => Fate::ContradictedBy(kept),
            };
            if let Some(slot) = fates.get_mut(place) {
                *slot = fate;
            }
        }
    }
    fates
}
