//! Proof that what was written computes what training did, by the code that
//! serves.

use std::path::Path;

use aisle_worker::decoder::Decoder;
use aisle_worker::model::{ModelFolder, Preprocessing};
use aisle_worker::preprocess::{Framing, Preprocessor};
use aisle_worker::{Extractor, Postprocessor};
use ndarray::{ArrayView1, ArrayView2, Axis};
use serde::Serialize;

use crate::TrainError;
use crate::dataset::{Category, Picture};
use crate::export::{Golden, GoldenPicture};
use crate::features::{FeatureError, Machine, Network, extract};
use crate::head::scores;
use crate::verify::{Rig, Step, allowed, compare};
use crate::watch::Nobody;

/// Answers of each golden picture that are written down.
const ANSWERS: usize = 3;

/// How well serving agrees with training.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Agreement {
    /// Pictures that both computed.
    pub pictures: usize,
    /// The largest difference of a logit.
    pub largest_difference: f64,
}

/// What training computes of the golden pictures, at every stage; `answer`
/// gives the logits of a picture's framed pixels. The answers are not there yet:
/// they need the temperature.
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
        let golden = Golden { picture, pixels: framed.pixels, tensor, logits, ..Golden::default() };
        goldens.push(golden);
    }
    Ok(goldens)
}

/// The best labels of a row of scores.
#[expect(clippy::cast_possible_truncation, reason = "a score as it is served")]
pub(super) fn best(
    categories: &[Category],
    logits: &[f32],
    temperature: f64,
) -> Vec<(String, f32)> {
    let scores = scores(&ArrayView1::from(logits).insert_axis(Axis(0)), temperature);
    let labels = categories.iter().map(ToString::to_string);
    let mut ranked: Vec<(String, f32)> =
        labels.zip(scores.iter().map(|score| *score as f32)).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked.truncate(ANSWERS);
    ranked
}

/// Runs the golden pictures and some others through the written folder as a
/// worker would; `logits` are what training computed of the others, and
/// `rounding` is what may be between both at least.
pub(super) fn prove(
    folder: &Path,
    goldens: &[Golden],
    pictures: &[Picture],
    logits: &ArrayView2<'_, f32>,
    rounding: f64,
    machine: &Machine,
) -> Result<Agreement, TrainError> {
    let model = ModelFolder::open(folder).map_err(FeatureError::from)?;
    let decoder =
        Decoder::start(&machine.decoder, machine.limits.clone(), std::num::NonZeroUsize::MIN)
            .map_err(FeatureError::from)?;
    let (preprocessor, postprocessor) =
        (Preprocessor::new(&model.preprocessing), Postprocessor::new(&model));
    let mut extractor =
        Extractor::of_model(&machine.library, &model, &machine.plan, &machine.session)
            .map_err(FeatureError::from)?;
    let mut network = |tensors: &[&[f32]]| extractor.run(tensors).map_err(|e| e.to_string());
    let mut rig = Rig {
        decoder: &decoder,
        preprocessor: &preprocessor,
        postprocessor: &postprocessor,
        network: &mut network,
    };
    let stages = compare(goldens, "the written model", &mut rig);
    if let Some(stage) = stages.iter().find(|stage| !stage.agrees) {
        return Err(TrainError::Disagrees(stage.to_string()));
    }
    let golden = stages.iter().find(|stage| stage.step == Step::Logits);
    let golden = golden.and_then(|stage| stage.largest_difference).unwrap_or(0.0);
    let framing = Framing::of(&model.preprocessing);
    let mut networks = [Network::of_model(&model, machine)?];
    let served = extract(pictures, &mut networks, &framing, machine, &Nobody)?;
    let (mut other, mut worst) = (0.0_f64, None);
    for (served, trained) in served.rows.rows().into_iter().zip(logits.rows()) {
        let pairs = served.iter().zip(trained);
        let difference = pairs.map(|(one, other)| f64::from((one - other).abs()));
        let difference = difference.fold(0.0, |most, next| if next > most { next } else { most });
        let trained: Vec<f32> = trained.iter().copied().collect();
        // A difference that is no number is one.
        if served.iter().any(|logit| logit.is_nan()) || difference > allowed(&trained).max(rounding)
        {
            worst = Some(format!("logits of a picture differ by {difference:.1e}"));
        }
        other = other.max(difference);
    }
    if let Some(worst) = worst {
        return Err(TrainError::Disagrees(worst));
    }
    let pictures = goldens.len() + served.places.len();
    Ok(Agreement { pictures, largest_difference: golden.max(other) })
}
