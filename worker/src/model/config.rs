//! `config.json`: the labels and what turns logits into scores.
//!
//! Only `id2label` is the truth: `label2id` loses labels that share a name.

use std::collections::BTreeMap;

use aisle_shared::domain::Activation;
use serde::Deserialize;

use super::error::KeyProblem;
use super::timm::TimmConfig;

/// `config.json` as far as it is read.
#[derive(Debug, Deserialize)]
pub(super) struct RawConfig {
    id2label: Option<BTreeMap<String, String>>,
    num_labels: Option<usize>,
    problem_type: Option<String>,
    label_names: Option<Vec<String>>,
    pub(super) pretrained_cfg: Option<TimmConfig>,
}

impl RawConfig {
    /// Every label in the order of the network's output: `id2label`, whose
    /// keys are numbers written as text, or timm's `label_names`.
    pub(super) fn labels(&self) -> Result<Vec<String>, KeyProblem> {
        let labels = match (&self.id2label, self.label_names()) {
            (Some(by_id), _) => in_order(by_id)?,
            (None, Some(names)) => names.to_vec(),
            (None, None) => return Err(KeyProblem::new("id2label", "is missing")),
        };
        if labels.is_empty() {
            return Err(KeyProblem::new("id2label", "is empty"));
        }
        match self.num_labels {
            Some(said) if said != labels.len() => Err(KeyProblem::new(
                "num_labels",
                format!("says {said}, but there are {} labels", labels.len()),
            )),
            Some(_) | None => Ok(labels),
        }
    }

    fn label_names(&self) -> Option<&[String]> {
        let inner = self.pretrained_cfg.as_ref().and_then(|timm| timm.label_names.as_deref());
        self.label_names.as_deref().or(inner)
    }

    /// Sigmoid for `multi_label_classification`, else softmax.
    pub(super) fn activation(&self) -> Result<Activation, KeyProblem> {
        match self.problem_type.as_deref() {
            None | Some("single_label_classification") => Ok(Activation::Softmax),
            Some("multi_label_classification") => Ok(Activation::Sigmoid),
            Some(other) => Err(KeyProblem::new(
                "problem_type",
                format!("{other:?} is not classification into categories"),
            )),
        }
    }
}

fn in_order(by_id: &BTreeMap<String, String>) -> Result<Vec<String>, KeyProblem> {
    let mut numbered = Vec::with_capacity(by_id.len());
    for (id, label) in by_id {
        let id: usize = id
            .parse()
            .map_err(|_| KeyProblem::new("id2label", format!("the key {id:?} is no number")))?;
        numbered.push((id, label));
    }
    numbered.sort_unstable();
    for (place, (id, _)) in numbered.iter().enumerate() {
        if place != *id {
            return Err(KeyProblem::new("id2label", format!("there is no label for {place}")));
        }
    }
    Ok(numbered.into_iter().map(|(_, label)| label.clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> RawConfig {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn labels_are_ordered_by_number_not_by_text() {
        let ids: Vec<String> = (0..12).map(|id| format!(r#""{id}":"label {id}""#)).collect();
        let labels = config(&format!(r#"{{"id2label":{{{}}}}}"#, ids.join(","))).labels().unwrap();
        assert_eq!(labels[2], "label 2");
        assert_eq!(labels[10], "label 10");
    }

    #[test]
    fn two_labels_may_have_the_same_name() {
        let labels = config(r#"{"id2label":{"0":"crane","1":"crane"}}"#).labels().unwrap();
        assert_eq!(labels, ["crane", "crane"]);
    }

    #[test]
    fn a_gap_in_the_labels_is_an_error_that_names_it() {
        let problem = config(r#"{"id2label":{"0":"a","2":"c"}}"#).labels().unwrap_err();
        assert_eq!(problem, KeyProblem::new("id2label", "there is no label for 1"));
    }

    #[test]
    fn a_wrong_number_of_labels_is_an_error() {
        let problem = config(r#"{"id2label":{"0":"a"},"num_labels":2}"#).labels().unwrap_err();
        assert_eq!(problem.key, "num_labels");
    }

    #[test]
    fn without_labels_there_is_no_model() {
        assert_eq!(config("{}").labels().unwrap_err().key, "id2label");
        assert_eq!(config(r#"{"id2label":{}}"#).labels().unwrap_err().key, "id2label");
    }

    #[test]
    fn timm_names_its_labels_in_a_list() {
        let labels = config(r#"{"label_names":["cat","dog"]}"#).labels().unwrap();
        assert_eq!(labels, ["cat", "dog"]);
    }

    #[test]
    fn the_problem_type_decides_between_softmax_and_sigmoid() {
        assert_eq!(config("{}").activation(), Ok(Activation::Softmax));
        let many = config(r#"{"problem_type":"multi_label_classification"}"#);
        assert_eq!(many.activation(), Ok(Activation::Sigmoid));
        assert!(config(r#"{"problem_type":"regression"}"#).activation().is_err());
    }
}
