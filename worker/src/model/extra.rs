//! `aisle.json`, the optional file beside a model's own: what only this
//! service needs. A folder without it works.

use std::collections::BTreeMap;

use aisle_shared::domain::{Acceptance, Activation};
use serde::{Deserialize, Serialize};

use super::error::KeyProblem;

/// The separator that makes a label a category path.
const PATH_SEPARATOR: &str = " > ";

/// How far another provider's, precision's or variant's answers may be from
/// those of the CPU provider in single precision.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tolerance {
    /// A score's difference at most, from 0 to 1.
    pub score: f32,
    /// The share of images, from 0 to 1, whose best label is the same at least.
    pub top_1: f32,
}

impl Default for Tolerance {
    /// What the service promises of its answers beside Python's.
    fn default() -> Self {
        Self { score: 0.02, top_1: 0.99 }
    }
}

/// `aisle.json`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Extra {
    /// What stands between the parts of a label that is a path; `null` says
    /// that labels are flat whatever they contain.
    pub(super) path_separator: Option<String>,
    /// The path of a label, by its id, where the label itself is none.
    pub(super) paths: BTreeMap<usize, Vec<String>>,
    /// What logits are divided by before they become scores (Guo et al.
    /// 2017, "On Calibration of Modern Neural Networks").
    pub(super) temperature: f32,
    /// The network's output that holds the logits.
    pub(super) logits: Option<String>,
    /// How far faster ways to run the network may be from it.
    pub(super) tolerance: Tolerance,
    /// From which score on answers can be accepted without a human.
    pub(super) accept: Vec<RawAcceptance>,
}

/// [`Acceptance`] as it stands in the file, where a mistyped key is an error.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAcceptance {
    precision: f64,
    score: Option<f64>,
    #[serde(default)]
    levels: Vec<Option<f64>>,
}

impl Default for Extra {
    fn default() -> Self {
        Self {
            path_separator: Some(PATH_SEPARATOR.to_owned()),
            paths: BTreeMap::new(),
            temperature: 1.0,
            logits: None,
            tolerance: Tolerance::default(),
            accept: Vec::new(),
        }
    }
}

impl Extra {
    pub(super) fn check(self, labels: usize) -> Result<Self, KeyProblem> {
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            return Err(KeyProblem::new("temperature", "must be a positive number"));
        }
        if self.path_separator.as_deref() == Some("") {
            return Err(KeyProblem::new("path_separator", "must not be empty"));
        }
        let Tolerance { score, top_1 } = self.tolerance;
        if ![score, top_1].iter().all(|share| (0.0..=1.0).contains(share)) {
            return Err(KeyProblem::new("tolerance", "score and top_1 must be from 0 to 1"));
        }
        for (id, path) in &self.paths {
            if *id >= labels {
                return Err(KeyProblem::new("paths", format!("there is no label {id}")));
            }
            if path.is_empty() || path.iter().any(|part| part.trim().is_empty()) {
                return Err(KeyProblem::new(
                    "paths",
                    format!("the path of {id} has an empty part"),
                ));
            }
        }
        Ok(self)
    }

    /// The thresholds, of a model with so many levels above its leaves.
    pub(super) fn acceptances(
        &self,
        levels: usize,
        activation: Activation,
    ) -> Result<Vec<Acceptance>, KeyProblem> {
        let fault = |rule: &str| Err(KeyProblem::new("accept", rule));
        if activation == Activation::Sigmoid && !self.accept.is_empty() {
            return fault("there is no best label to accept where any number may be right");
        }
        let is_share = |value: f64| (0.0..=1.0).contains(&value);
        let mut known: Vec<Acceptance> = Vec::new();
        for RawAcceptance { precision, score, levels: above } in &self.accept {
            if !is_share(*precision) || *precision == 0.0 {
                return fault("a precision is above 0 and at most 1");
            }
            if !above.iter().chain([score]).all(|score| score.is_none_or(is_share)) {
                return fault("a score is from 0 to 1");
            }
            if !above.is_empty() && above.len() != levels {
                let (said, there) = (above.len(), levels);
                return fault(&format!(
                    "{said} levels are named, and there are {there} above the labels"
                ));
            }
            let (precision, score, levels) = (*precision, *score, above.clone());
            if known.iter().any(|known| known.precision.total_cmp(&precision).is_eq()) {
                return fault("a precision stands there twice");
            }
            known.push(Acceptance { precision, score, levels });
        }
        known.sort_by(|a, b| a.precision.total_cmp(&b.precision));
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_says_the_same_as_none() {
        let extra: Extra = serde_json::from_str("{}").unwrap();
        assert_eq!(extra.path_separator.as_deref(), Some(" > "));
        assert!((extra.temperature - 1.0).abs() < f32::EPSILON);
    }

    #[test]
    fn a_mistyped_key_is_an_error() {
        assert!(serde_json::from_str::<Extra>(r#"{"temprature":2}"#).is_err());
    }

    #[test]
    fn values_without_meaning_are_errors() {
        for (json, key) in [
            (r#"{"temperature":0}"#, "temperature"),
            (r#"{"path_separator":""}"#, "path_separator"),
            (r#"{"tolerance":{"score":2}}"#, "tolerance"),
            (r#"{"paths":{"7":["a"]}}"#, "paths"),
            (r#"{"paths":{"0":["a",""]}}"#, "paths"),
        ] {
            let extra: Extra = serde_json::from_str(json).unwrap();
            assert_eq!(extra.check(2).unwrap_err().key, key, "{json}");
        }
    }

    fn acceptances(accept: &str, activation: Activation) -> Result<Vec<Acceptance>, String> {
        let json = format!(r#"{{"accept":[{accept}]}}"#);
        let extra: Extra = serde_json::from_str(&json).map_err(|error| error.to_string())?;
        extra.acceptances(1, activation).map_err(|problem| problem.problem)
    }

    #[test]
    fn thresholds_are_read_with_and_without_levels_the_lowest_precision_first() {
        let (high, low) = (
            r#"{"precision":0.98,"score":0.9,"levels":[0.8]}"#,
            r#"{"precision":0.95,"score":null}"#,
        );
        let found = acceptances(&format!("{high},{low}"), Activation::Softmax).unwrap();
        let told: Vec<_> =
            found.into_iter().map(|each| (each.precision, each.score, each.levels)).collect();
        assert_eq!(told, [(0.95, None, vec![]), (0.98, Some(0.9), vec![Some(0.8)])]);
    }

    #[test]
    fn thresholds_without_meaning_are_errors() {
        for (accept, why) in [
            (r#"{"precision":0,"score":0.5}"#, "above 0"),
            (r#"{"precision":0.95,"score":1.5}"#, "from 0 to 1"),
            (r#"{"precision":0.95,"score":0.5,"levels":[-1]}"#, "from 0 to 1"),
            (r#"{"precision":0.95,"score":0.5,"levels":[0.5,0.5]}"#, "2 levels are named"),
            (r#"{"precision":0.95,"score":0.5,"level":[0.5]}"#, "unknown field"),
            (r#"{"precision":0.9,"score":1},{"precision":0.9,"score":0}"#, "twice"),
        ] {
            let error = acceptances(accept, Activation::Softmax).unwrap_err();
            assert!(error.contains(why), "{accept}: {error}");
        }
        let several = acceptances(r#"{"precision":0.95,"score":0.5}"#, Activation::Sigmoid);
        assert!(several.unwrap_err().contains("no best label"));
    }
}
