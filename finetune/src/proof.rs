//! What was learned, computed by burn once more as serving will: the written
//! model is held against it.

use crate::TuneError;
use crate::learner::Learner;
use crate::source::Source;

/// Pictures that burn computes at once.
const CHUNK: usize = 8;

/// What rounding may explain in a logit of up to ten.
const ALLOWED: f32 = 1e-4;

/// The logits of pixels framed as in serving, by burn; with `mirror` their mean
/// over a picture and its mirror image, `width` pixels wide.
pub(crate) fn logits(
    learner: &Learner,
    source: &mut Source,
    pixels: &[Vec<u8>],
    mirror: bool,
) -> Result<Vec<f32>, TuneError> {
    let plain = one_view(learner, source, pixels)?;
    if !mirror {
        return Ok(plain);
    }
    let [_, width] = source.preprocessor.output_size();
    let mirrored: Vec<Vec<u8>> =
        pixels.iter().map(|pixels| mirrored(pixels, width as usize)).collect();
    let mirrored = one_view(learner, source, &mirrored)?;
    Ok(plain.into_iter().zip(mirrored).map(|(one, other)| f32::midpoint(one, other)).collect())
}

/// The difference of logits that rounding may explain: single precision has
/// seven digits, whatever the size.
pub(crate) fn allowed(logits: &[f32]) -> f32 {
    let largest = logits.iter().fold(0.0_f32, |most, logit| most.max(logit.abs()));
    ALLOWED * (largest / 10.0).max(1.0)
}

fn one_view(
    learner: &Learner,
    source: &mut Source,
    pixels: &[Vec<u8>],
) -> Result<Vec<f32>, TuneError> {
    let mut logits = Vec::new();
    for chunk in pixels.chunks(CHUNK) {
        let refs: Vec<&[u8]> = chunk.iter().map(Vec::as_slice).collect();
        let shown = match &mut source.lower {
            Some(lower) => lower.run(&refs)?,
            None => refs.iter().map(|pixels| source.preprocessor.tensor(pixels)).collect(),
        };
        logits.extend(learner.answers(&shown.concat(), chunk.len())?);
    }
    Ok(logits)
}

/// Rows of packed RGB, each from its end.
fn mirrored(pixels: &[u8], width: usize) -> Vec<u8> {
    let rows = pixels.chunks_exact(3 * width);
    rows.flat_map(|row| row.rchunks_exact(3).flatten().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirrored_picture_has_its_pixels_reversed_and_its_colours_not() {
        let pixels = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        assert_eq!(mirrored(&pixels, 2), [4, 5, 6, 1, 2, 3, 10, 11, 12, 7, 8, 9]);
    }
}
