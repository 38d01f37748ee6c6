//! What was learned, computed by burn once more as serving will: the written
//! model is held against it.

use crate::TuneError;
use crate::learner::Learner;
use crate::source::Source;

/// Pictures that burn computes at once.
const CHUNK: usize = 8;

/// What rounding may explain in a logit whose products are of a size of ten
/// together.
const ALLOWED: f32 = 1e-4;

/// What burn computes of some pictures.
#[derive(Debug, Clone)]
pub(crate) struct Computed {
    /// The logits of each, one after the other.
    pub(crate) logits: Vec<f32>,
    /// The largest sum of the sizes of the products that a logit is made of:
    /// what rounding goes by, however small the logit is that is left of them.
    pub(crate) size: f32,
}

impl Computed {
    /// The difference of a logit that rounding may explain.
    pub(crate) fn allowed(&self) -> f32 {
        ALLOWED * (self.size / 10.0).max(1.0)
    }
}

/// The logits of pixels framed as in serving, by burn; with `mirror` their mean
/// over a picture and its mirror image, `width` pixels wide.
pub(crate) fn logits(
    learner: &Learner,
    source: &mut Source,
    pixels: &[Vec<u8>],
    mirror: bool,
) -> Result<Computed, TuneError> {
    let plain = one_view(learner, source, pixels)?;
    if !mirror {
        return Ok(plain);
    }
    let [_, width] = source.preprocessor.output_size();
    let mirrored: Vec<Vec<u8>> =
        pixels.iter().map(|pixels| mirrored(pixels, width as usize)).collect();
    let mirrored = one_view(learner, source, &mirrored)?;
    let both = plain.logits.into_iter().zip(mirrored.logits);
    let logits = both.map(|(one, other)| f32::midpoint(one, other)).collect();
    Ok(Computed { logits, size: plain.size.max(mirrored.size) })
}

fn one_view(
    learner: &Learner,
    source: &mut Source,
    pixels: &[Vec<u8>],
) -> Result<Computed, TuneError> {
    let mut computed = Computed { logits: Vec::new(), size: 0.0 };
    for chunk in pixels.chunks(CHUNK) {
        let refs: Vec<&[u8]> = chunk.iter().map(Vec::as_slice).collect();
        let shown = match &mut source.lower {
            Some(lower) => lower.run(&refs)?,
            None => refs.iter().map(|pixels| source.preprocessor.tensor(pixels)).collect(),
        };
        let (logits, size) = learner.answers(&shown.concat(), chunk.len())?;
        computed.logits.extend(logits);
        computed.size = computed.size.max(size);
    }
    Ok(computed)
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
