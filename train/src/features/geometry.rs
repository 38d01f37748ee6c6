//! What backbones in one graph must have in common, and what makes the input
//! of one from that of another.
//!
//! A value is an affine function of a byte in each channel: rescaled, then
//! normalised. So the input of one network is an affine function of that of
//! another, provided that both see the same pixels in the same order.

use aisle_worker::model::Preprocessing;
use aisle_worker::preprocess::Framing;

use super::{Backbone, FeatureError};
use crate::onnx::Shift;

/// The framing that all backbones share.
///
/// # Errors
/// When there is no backbone, or two frame a picture differently.
pub fn one_framing(backbones: &[Backbone]) -> Result<Framing, FeatureError> {
    let first = backbones.first().ok_or(FeatureError::NoBackbone)?;
    let framing = Framing::of(&first.folder.preprocessing);
    for (place, other) in backbones.iter().enumerate() {
        let before = backbones.iter().take(place);
        let is_there = |one: &Backbone| one.folder.version == other.folder.version;
        let its = Framing::of(&other.folder.preprocessing);
        let order = other.folder.preprocessing.order == first.folder.preprocessing.order;
        let what = if before.into_iter().any(is_there) {
            "it is the same network again".to_owned()
        } else if its != framing {
            format!("one frames pictures by {framing:?}, the other by {its:?}")
        } else if !order {
            "their channels stand in different order".to_owned()
        } else {
            continue;
        };
        let (first, other) = (first.folder.name.clone(), other.folder.name.clone());
        return Err(FeatureError::Mismatch { first, other, what });
    }
    Ok(framing)
}

/// What turns the input of the first network into that of the other, which
/// frames alike; `None` where they are the same.
#[must_use]
pub fn shift(first: &Preprocessing, other: &Preprocessing) -> Option<Shift> {
    let (from, to) = (affine(first), affine(other));
    if from == to {
        return None;
    }
    let mut shift = Shift { factor: [1.0; 3], offset: [0.0; 3] };
    let channels = shift.factor.iter_mut().zip(&mut shift.offset);
    for ((factor, offset), (from, to)) in channels.zip(from.into_iter().zip(to)) {
        let ratio = to.0 / from.0;
        *factor = single(ratio);
        *offset = single(to.1 - from.1 * ratio);
    }
    Some(shift)
}

/// Factor and offset from a byte to a value, for each channel as it comes out.
fn affine(steps: &Preprocessing) -> [(f64, f64); 3] {
    let (factor, offset) = match steps.rescale {
        Some(rescale) => (rescale.factor, if rescale.minus_one { -1.0 } else { 0.0 }),
        None => (1.0, 0.0),
    };
    let Some(normalize) = &steps.normalize else { return [(factor, offset); 3] };
    let mut channels = normalize.mean.into_iter().zip(normalize.std).map(|(mean, std)| {
        let divisor = if steps.normalize_twice { std * std } else { std };
        (factor / divisor, (offset - mean) / divisor)
    });
    // Both networks have the same order of channels, so it does not matter which.
    std::array::from_fn(|_| channels.next().unwrap_or((1.0, 0.0)))
}

#[expect(clippy::cast_possible_truncation, reason = "networks compute in single precision")]
const fn single(value: f64) -> f32 {
    value as f32
}
