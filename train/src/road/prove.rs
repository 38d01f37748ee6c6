//! Proof that what was written computes what training did, by the code that
//! serves.

use std::path::Path;

use aisle_worker::decoder::Decoder;
use aisle_worker::model::{ModelFolder, Preprocessing};
use aisle_worker::preprocess::{Framing, Preprocessor};
use ndarray::ArrayView2;
use serde::Serialize;

use crate::TrainError;
use crate::dataset::Picture;
use crate::export::{Golden, GoldenPicture};
use crate::features::{FeatureError, Machine, Network, extract};
use crate::watch::Nobody;

/// How well serving agrees with training.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Agreement {
    /// Pictures that both computed.
    pub pictures: usize,
    /// The largest difference of a logit.
    pub largest_difference: f32,
}

/// What training computes of the golden pictures, at every stage; `answer`
/// gives the logits of a picture's framed pixels.
///
/// # Errors
/// When a picture cannot be made, or has no answer.
pub fn goldens<E: From<TrainError>>(
    preprocessing: &Preprocessing,
    machine: &Machine,
    mut answer: impl FnMut(&[u8]) -> Result<Vec<f32>, E>,
) -> Result<Vec<Golden>, E> {
    let pictures = GoldenPicture::all().map_err(|error| TrainError::Golden(error.to_string()))?;
    let threads = std::num::NonZeroUsize::MIN;
    let decoder = Decoder::start(&machine.decoder, machine.limits.clone(), threads)
        .map_err(|error| TrainError::from(FeatureError::from(error)))?;
    let preprocessor = Preprocessor::new(preprocessing);
    let mut goldens = Vec::new();
    for picture in pictures {
        let framed = decoder
            .frame(&picture.bytes, preprocessor.framing())
            .map_err(|refusal| TrainError::Golden(refusal.to_string()))?;
        let logits = answer(&framed.pixels)?;
        let tensor = preprocessor.tensor(&framed.pixels);
        goldens.push(Golden { picture, pixels: framed.pixels, tensor, logits });
    }
    Ok(goldens)
}

/// Runs the golden pictures and some others through the written folder as a
/// worker would; `logits` are what training computed of the others.
pub(super) fn prove(
    folder: &Path,
    goldens: &[Golden],
    pictures: &[Picture],
    logits: &ArrayView2<'_, f32>,
    allowed: f32,
    machine: &Machine,
) -> Result<Agreement, TrainError> {
    let model = ModelFolder::open(folder).map_err(FeatureError::from)?;
    let framing = Framing::of(&model.preprocessing);
    let mut network = Network::of_model(&model, machine)?;
    let pixels: Vec<&[u8]> = goldens.iter().map(|golden| golden.pixels.as_slice()).collect();
    let served = network.run(&pixels)?;
    let served = served.iter().flatten().copied();
    let trained = goldens.iter().flat_map(|golden| golden.logits.iter().copied());
    let golden = largest(served.zip(trained));
    let mut networks = [network];
    let served = extract(pictures, &mut networks, &framing, machine, &Nobody)?;
    let other = largest(served.rows.iter().copied().zip(logits.iter().copied()));
    let difference = golden.max(other);
    // A difference that is no number is one.
    if difference.is_nan() || difference > allowed {
        return Err(TrainError::Disagrees { difference, allowed });
    }
    let pictures = goldens.len() + served.places.len();
    Ok(Agreement { pictures, largest_difference: difference })
}

fn largest(pairs: impl Iterator<Item = (f32, f32)>) -> f32 {
    pairs
        .map(|(one, other)| (one - other).abs())
        .fold(0.0, |most, next| if next.is_nan() || next > most { next } else { most })
}
