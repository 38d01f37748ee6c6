//! `aisle.json`, the optional file beside a model's own: what only this
//! service needs. A folder without it works.

use std::collections::BTreeMap;

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
    pub(super) accept: Vec<Acceptance>,
}

/// From which score on answers are right as often as a shop asks for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// The share of right answers, above 0 and at most 1.
    pub precision: f64,
    /// The score of the best category, 0 to 1; `null` where no score gives
    /// that share.
    pub score: Option<f64>,
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
        let is_share = |value: f64| (0.0..=1.0).contains(&value);
        for Acceptance { precision, score } in &self.accept {
            if !is_share(*precision) || *precision == 0.0 || !score.is_none_or(is_share) {
                let rule = "a precision is above 0 and at most 1, a score from 0 to 1";
                return Err(KeyProblem::new("accept", rule));
            }
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
            (r#"{"accept":[{"precision":0,"score":0.5}]}"#, "accept"),
            (r#"{"accept":[{"precision":0.95,"score":1.5}]}"#, "accept"),
        ] {
            let extra: Extra = serde_json::from_str(json).unwrap();
            assert_eq!(extra.check(2).unwrap_err().key, key, "{json}");
        }
    }
}
