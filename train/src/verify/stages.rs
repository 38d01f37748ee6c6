//! The stages of serving, each held against what training computed: from the
//! same input, so that a stage is judged by itself, and the answers from the
//! picture's own bytes, so that nothing between is left out.

use std::fmt;

use aisle_worker::decoder::Decoder;
use aisle_worker::preprocess::Preprocessor;
use aisle_worker::{Postprocessor, Question};
use serde::Serialize;

use crate::export::Golden;

/// What single precision explains of a logit up to ten, and of a score. Larger
/// logits may differ in proportion.
const ALLOWED: f64 = 1e-4;

/// Runs a network: from the values of each picture to its logits, or why not.
pub type Run<'a> = dyn FnMut(&[&[f32]]) -> Result<Vec<Vec<f32>>, String> + 'a;

/// The code that serves, stage by stage.
pub struct Rig<'a> {
    /// Decodes and cuts pictures.
    pub decoder: &'a Decoder,
    /// From pixels to values.
    pub preprocessor: &'a Preprocessor,
    /// From logits to answers.
    pub postprocessor: &'a Postprocessor,
    /// From values to logits.
    pub network: &'a mut Run<'a>,
}

impl fmt::Debug for Rig<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rig").finish_non_exhaustive()
    }
}

/// A stage of serving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Reading what training computed.
    Golden,
    /// Loading the network.
    Network,
    /// From a picture to the pixels that the network sees: bytes.
    Pixels,
    /// From pixels to values.
    Tensor,
    /// From values to logits.
    Logits,
    /// From a picture to scores of labels.
    Answers,
}

/// How a stage agrees.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stage {
    /// How the network ran, such as `cpu fp32`.
    pub run: String,
    /// Which stage.
    pub step: Step,
    /// Pictures that were compared.
    pub pictures: usize,
    /// The largest difference of a value, where values could be compared.
    pub largest_difference: Option<f64>,
    /// The largest that is allowed.
    pub allowed: f64,
    /// Whether it agrees.
    pub agrees: bool,
    /// What is wrong that no number says.
    pub detail: Option<String>,
}

impl Step {
    /// The word that stands in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Golden => "golden",
            Self::Network => "network",
            Self::Pixels => "pixels",
            Self::Tensor => "tensor",
            Self::Logits => "logits",
            Self::Answers => "answers",
        }
    }
}

impl Stage {
    /// A stage that has nothing compared yet.
    pub(super) fn new(run: &str, step: Step, allowed: f64) -> Self {
        Self {
            run: run.to_owned(),
            step,
            pictures: 0,
            largest_difference: None,
            allowed,
            agrees: true,
            detail: None,
        }
    }

    /// A stage that could not be.
    pub(super) fn failed(run: &str, step: Step, detail: impl Into<String>) -> Self {
        let mut stage = Self::new(run, step, 0.0);
        stage.fail(detail);
        stage
    }

    pub(super) fn fail(&mut self, detail: impl Into<String>) {
        self.agrees = false;
        // The first says most: the others follow from it.
        self.detail.get_or_insert_with(|| detail.into());
    }

    /// Counts a picture's values against what they should be.
    fn compare(&mut self, found: &[f32], expected: &[f32], allowed: f64) {
        if found.len() != expected.len() {
            let (found, expected) = (found.len(), expected.len());
            return self.fail(format!("{found} values, and training had {expected}"));
        }
        let pairs = found.iter().zip(expected);
        self.count(pairs.map(|(one, other)| f64::from(*one) - f64::from(*other)), allowed);
    }

    /// Counts a picture by its differences.
    fn count(&mut self, differences: impl Iterator<Item = f64>, allowed: f64) {
        let largest = differences.map(f64::abs).fold(0.0, worse);
        self.pictures += 1;
        self.allowed = self.allowed.max(allowed);
        self.largest_difference = Some(worse(self.largest_difference.unwrap_or(0.0), largest));
        // A difference that is no number is one.
        if largest.is_nan() || largest > allowed {
            self.agrees = false;
        }
    }
}

/// The larger of two, or the one that is no number.
fn worse(most: f64, next: f64) -> f64 {
    if next.is_nan() || next > most { next } else { most }
}

/// How far logits may be from those that training computed.
pub(crate) fn allowed(logits: &[f32]) -> f64 {
    let largest = logits.iter().fold(0.0_f32, |most, logit| most.max(logit.abs()));
    ALLOWED * f64::from(largest / 10.0).max(1.0)
}

/// Holds what a rig computes against what training did.
pub(crate) fn compare(goldens: &[Golden], run: &str, rig: &mut Rig<'_>) -> Vec<Stage> {
    let mut pixels = Stage::new(run, Step::Pixels, 0.0);
    let mut tensor = Stage::new(run, Step::Tensor, 0.0);
    let mut logits = Stage::new(run, Step::Logits, ALLOWED);
    let mut answers = Stage::new(run, Step::Answers, ALLOWED);
    for golden in goldens {
        compare_values(golden, rig, &mut tensor, &mut logits);
        match rig.decoder.frame(&golden.picture.bytes, rig.preprocessor.framing()) {
            Err(refusal) => pixels.fail(format!("{}: {refusal}", golden.picture.name)),
            Ok(framed) => {
                let bytes =
                    |values: &[u8]| values.iter().map(|v| f32::from(*v)).collect::<Vec<_>>();
                pixels.compare(&bytes(&framed.pixels), &bytes(&golden.pixels), 0.0);
                let values = rig.preprocessor.tensor(&framed.pixels);
                let served = (rig.network)(&[&values]);
                match served.map(|served| served.into_iter().next().unwrap_or_default()) {
                    Err(error) => answers.fail(error),
                    Ok(served) => hold_answers(golden, &served, rig.postprocessor, &mut answers),
                }
            }
        }
    }
    vec![pixels, tensor, logits, answers]
}

/// From the golden pixels to values, and from the golden values to logits.
fn compare_values(golden: &Golden, rig: &mut Rig<'_>, tensor: &mut Stage, logits: &mut Stage) {
    let wanted = rig.preprocessor.tensor_len();
    if golden.pixels.len() == wanted {
        tensor.compare(&rig.preprocessor.tensor(&golden.pixels), &golden.tensor, 0.0);
    } else {
        let there = golden.pixels.len();
        tensor.fail(format!("takes {wanted} bytes of pixels, and training had {there}"));
    }
    if golden.tensor.len() != wanted {
        let there = golden.tensor.len();
        return logits.fail(format!("the network takes {wanted} values, and training had {there}"));
    }
    match (rig.network)(&[&golden.tensor]) {
        Err(error) => logits.fail(error),
        Ok(found) => {
            let found = found.into_iter().next().unwrap_or_default();
            let allowed = allowed(&golden.logits).max(golden.rounding);
            logits.compare(&found, &golden.logits, allowed);
        }
    }
}

/// Scores of labels against those that training gave, or that follow from its
/// logits where it has written none.
fn hold_answers(golden: &Golden, served: &[f32], post: &Postprocessor, stage: &mut Stage) {
    let ranked = |logits: &[f32]| {
        let everything = Question::best(u32::MAX);
        post.rank(logits, everything).map(|ranking| {
            let pairs = ranking.predictions.into_iter();
            pairs.map(|each| (each.label, each.score)).collect::<Vec<_>>()
        })
    };
    let expected = match golden.answers.as_slice() {
        [] => ranked(&golden.logits),
        known => Ok(known.to_vec()),
    };
    let (expected, found) = match (expected, ranked(served)) {
        (Ok(expected), Ok(found)) => (expected, found),
        (Err(error), _) | (_, Err(error)) => return stage.fail(error.to_string()),
    };
    let mut differences = Vec::new();
    for (label, score) in &expected {
        // More than one label may have the name.
        let own = found.iter().filter(|(name, _)| name == label);
        let gaps = own.map(|(_, own)| (f64::from(*own) - f64::from(*score)).abs());
        match gaps.min_by(f64::total_cmp) {
            Some(gap) => differences.push(gap),
            None => return stage.fail(format!("there is no label {label:?}")),
        }
    }
    stage.count(differences.into_iter(), ALLOWED);
    if let (Some((wanted, _)), Some((best, _))) = (expected.first(), found.first())
        && !stage.agrees
        && wanted != best
    {
        let name = &golden.picture.name;
        stage.fail(format!("{name} is {best:?}, and training said {wanted:?}"));
    }
}

/// Holds the scores of another way to run the network against known logits.
pub(super) fn compare_scores(
    run: &str,
    known: &[Vec<f32>],
    found: &[Vec<f32>],
    post: &Postprocessor,
    tolerance: f32,
) -> Stage {
    let mut stage = Stage::new(run, Step::Answers, f64::from(tolerance));
    let by_label = |logits: &[f32]| post.scores(logits);
    for (known, found) in known.iter().zip(found) {
        if known.len() != found.len() || found.iter().any(|logit| !logit.is_finite()) {
            stage.fail("its answers are no numbers, or not one for each label");
            continue;
        }
        let (known, found) = (by_label(known), by_label(found));
        let pairs = known.iter().zip(&found);
        let gaps = pairs.map(|(one, other)| f64::from(*one) - f64::from(*other));
        stage.count(gaps, f64::from(tolerance));
    }
    stage
}
