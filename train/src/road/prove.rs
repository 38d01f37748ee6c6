//! Proof that what was written computes what training did, by the code that
//! serves.

use std::path::Path;

use aisle_worker::decoder::Decoder;
use aisle_worker::model::ModelFolder;
use aisle_worker::preprocess::{Framing, Preprocessor};
use ndarray::{Array2, ArrayView2};
use serde::Serialize;

use crate::TrainError;
use crate::dataset::Picture;
use crate::export::{Golden, GoldenPicture};
use crate::features::{Backbone, FeatureError, Machine, Network, extract};
use crate::head::LinearHead;
use crate::watch::Nobody;

/// What rounding may explain, for logits of a size of about ten.
const ALLOWED: f32 = 1e-3;

/// How well serving agrees with training.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Agreement {
    /// Pictures that both computed.
    pub pictures: usize,
    /// The largest difference of a logit.
    pub largest_difference: f32,
}

/// What training computes of the golden pictures, at every stage.
pub(super) fn goldens(
    backbones: &[Backbone],
    networks: &mut [Network],
    framing: &Framing,
    head: &LinearHead,
    machine: &Machine,
) -> Result<Vec<Golden>, TrainError> {
    let pictures = GoldenPicture::all().map_err(|error| TrainError::Golden(error.to_string()))?;
    let threads = std::num::NonZeroUsize::MIN;
    let decoder = Decoder::start(&machine.decoder, machine.limits.clone(), threads)
        .map_err(FeatureError::from)?;
    let first = backbones.first().ok_or(FeatureError::NoBackbone)?;
    let preprocessor = Preprocessor::new(&first.folder.preprocessing);
    let mut goldens = Vec::new();
    for picture in pictures {
        let framed = decoder
            .frame(&picture.bytes, framing)
            .map_err(|refusal| TrainError::Golden(refusal.to_string()))?;
        let mut features = Vec::new();
        for network in &mut *networks {
            features.extend(network.run(&[&framed.pixels])?.into_iter().flatten());
        }
        let row = Array2::from_shape_vec((1, features.len()), features);
        let row = row.map_err(|error| TrainError::Golden(error.to_string()))?;
        let logits = head.logits(&row.view()).into_iter().collect();
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
    if difference.is_nan() || difference > ALLOWED {
        return Err(TrainError::Disagrees { difference, allowed: ALLOWED });
    }
    let pictures = goldens.len() + served.places.len();
    Ok(Agreement { pictures, largest_difference: difference })
}

fn largest(pairs: impl Iterator<Item = (f32, f32)>) -> f32 {
    pairs
        .map(|(one, other)| (one - other).abs())
        .fold(0.0, |most, next| if next.is_nan() || next > most { next } else { most })
}
