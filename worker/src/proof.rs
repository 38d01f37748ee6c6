//! Proof that a model works before it is served: a real picture goes through
//! decoder, preprocessing, network and postprocessing, as a caller's would.

use std::io::Cursor;
use std::time::Instant;

use aisle_shared::domain::{ErrorCode, ItemError};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

use crate::decoder::{Decoder, Refusal};
use crate::error::WorkerError;
use crate::loaded::LoadedModel;
use crate::network::Network;
use crate::postprocess::Question;

/// The picture's sides in pixels: small, and not those of any network, so
/// that it has to be resized.
const SIDES: (u32, u32) = (97, 61);

/// Classifies the picture.
///
/// # Errors
/// [`WorkerError::Unproven`] when the model has no sound answer to it.
pub(crate) fn prove(
    model: &LoadedModel,
    network: &mut Network,
    decoder: &Decoder,
) -> Result<(), WorkerError> {
    let start = Instant::now();
    let best = classify(model, network, decoder)
        .map_err(|source| WorkerError::Unproven { model: model.card().name.clone(), source })?;
    let elapsed_ms = start.elapsed().as_secs_f64() * 1_000.0;
    tracing::info!(model = %model.card().name, best, elapsed_ms, "the model works");
    Ok(())
}

/// The likeliest category of the picture.
fn classify(
    model: &LoadedModel,
    network: &mut Network,
    decoder: &Decoder,
) -> Result<String, ItemError> {
    let preprocessor = model.preprocessor();
    let framed =
        decoder.frame(&picture()?, preprocessor.framing()).map_err(|refusal| match refusal {
            Refusal::Image(error) => error,
            Refusal::Unavailable(detail) => ItemError::new(ErrorCode::Internal, detail),
        })?;
    let tensor = preprocessor.tensor(&framed.pixels);
    let logits = network.run(&[&tensor]).into_iter().next();
    let unsound = || ItemError::new(ErrorCode::InferenceFailed, "the network has no sound answer");
    let logits = logits.ok_or_else(unsound)??;
    let ranking = model.postprocessor().rank(&logits, Question::best(1))?;
    let best = ranking.predictions.into_iter().next().filter(|best| best.score.is_finite());
    Ok(best.ok_or_else(unsound)?.label)
}

/// A JPEG of colours that flow into each other.
fn picture() -> Result<Vec<u8>, ItemError> {
    let (width, height) = SIDES;
    let share = |part: u32, whole: u32| u8::try_from(part * 255 / whole).unwrap_or(u8::MAX);
    let pixels = RgbImage::from_fn(width, height, |x, y| {
        Rgb([share(x, width), share(y, height), share(x + y, width + height)])
    });
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(pixels)
        .write_to(&mut bytes, ImageFormat::Jpeg)
        .map_err(|error| ItemError::new(ErrorCode::Internal, error.to_string()))?;
    Ok(bytes.into_inner())
}
